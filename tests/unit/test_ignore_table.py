"""A public table of ignore patterns, as moby's matcher decides them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from zbuild.base.gomatch import PatternError
from zbuild.plan.gomatch import path_regex
from zbuild.plan.ignore import matches

TABLE = json.loads((Path(__file__).parents[1] / "data/ignore-patterns.json").read_text())
PATHS = [
    *("a", "b", "c", "dir", "file", ".foo", "a.txt", "dir/a.txt", "dir/b/c.txt", "dir/b/c.txtx", "x.txt/y"),
    *("abcdef", "abc.def", "abc/def", "abcxdef", "abc.def/x", "ab.def", "dir/file", "dir/dir", "x/dir", "dirx", "xdir"),
]


@pytest.mark.parametrize(("patterns", "path", "expected"), TABLE["matches"])
def test_lists_of_patterns(patterns, path, expected):
    assert matches(patterns, path) is expected


@pytest.mark.parametrize(("pattern", "path", "expected"), TABLE["single"])
def test_single_patterns(pattern, path, expected):
    if expected == "error":
        with pytest.raises(PatternError):
            matches([pattern], path)
    else:
        assert matches([pattern], path) is expected


@pytest.mark.parametrize(("pattern", "regex"), TABLE["regexes"])
def test_regular_expressions_accept_the_same_paths(pattern, regex):
    ours = re.compile(path_regex(pattern), re.DOTALL)
    theirs = re.compile(regex)
    assert [path for path in PATHS if ours.fullmatch(path)] == [path for path in PATHS if theirs.search(path)]


@pytest.mark.parametrize(("pattern", "kind"), TABLE["plain"])
def test_plain_patterns_are_whole_names_prefixes_or_suffixes(pattern, kind):
    ours = re.compile(path_regex(pattern), re.DOTALL)
    text = pattern.strip("*")
    accepts = {
        "exact": lambda path: path == text,
        "prefix": lambda path: path.startswith(text),
        "suffix": lambda path: path.endswith(text) or path == text.removeprefix("/"),
    }[kind]
    assert [path for path in [*PATHS, pattern] if ours.fullmatch(path)] == [
        path for path in [*PATHS, pattern] if accepts(path)
    ]
