from __future__ import annotations

import os

import pytest

from zbuild.base.gomatch import PatternError, name_matcher
from zbuild.plan.ignore import Ignore, ignore_candidates, matches, parse_ignore, read_ignore


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        (b"", ()),
        (b"\n  \n\t\n# a comment\n", ()),
        (b"\xef\xbb\xbfdist\n", ("dist",)),
        (b"a \r\n\tb\r\n", ("a", "b")),
        (b" # not a comment", ("# not a comment",)),
        (b"/a/b\n//c//d/\n./e/../f", ("a/b", "c/d", "f")),
        (b"! /a\n!b/", ("!a", "!b")),
        (b".\n/\n..", (".", "/", "..")),
        (b"caf\xc3\xa9\n\xff", ("café", "\udcff")),
    ],
)
def test_parse(text, patterns):
    assert parse_ignore(text) == patterns


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"ok\n\n!", 3, "no pattern follows '!'"),
        (b"a[\n", 1, "not closed"),
        (b"# x\nb/[]c]", 2, "must be written"),
        (b"[a-]", 1, "must be written"),
        (b"x[z-a]", 1, "'z-a' in a character class is reversed"),
        (b"\nend\\", 2, "nothing follows the last backslash"),
    ],
)
def test_parse_refuses_bad_patterns_with_their_line(text, line, problem):
    with pytest.raises(PatternError, match=problem) as caught:
        parse_ignore(text, "app/.dockerignore")
    assert (caught.value.line, caught.value.file) == (line, "app/.dockerignore")
    assert str(caught.value).startswith(f"app/.dockerignore:{line}: ")


@pytest.mark.parametrize(
    ("patterns", "path", "left_out"),
    [
        (["a"], "a/b/c", True),
        (["a"], "ab", False),
        (["a/b"], "b", False),
        (["*"], "a/b", True),
        (["*/*.o"], "x/y.o", True),
        (["*/*.o"], "y.o", False),
        (["**/b/*.o"], "b/x.o", True),
        (["a/**/z"], "a/z", True),
        (["a/**/z"], "a/b/c/z/d", True),
        (["**x"], "deep/filex", True),
        (["***"], "a/b", True),
        (["a**"], "abc/def", True),
        (["**/a**"], "x/abc/def", True),
        (["[!a]"], "b", False),
        (["[!a]"], "!", True),
        (["[^a]b"], "/b", True),
        (["a[^x]b"], "a/b", True),
        ([r"\*"], "*", True),
        ([r"\*"], "a", False),
        ([r"\d"], "d", True),
        (["a.c"], "abc", False),
        (["a^b*", "(x)+"], "a^bc", True),
        (["a^b*", "(x)+"], "(x)+", True),
        (["?"], "\udcff", True),
        (["."], "a", False),
        (["*", "!a", "a/b"], "a/b/c", True),
        (["*", "!a", "a/b"], "a/c", False),
        (["*", "!a/b/c"], "a/b/c/d", False),
        (["*", "!a/b/c"], "a/b/x", True),
        (["!a", "a"], "a", True),
        ([" a ", ""], "a", True),
        (["a"], "./x/../a", True),
        (["*"], ".", False),
    ],
)
def test_matches(patterns, path, left_out):
    assert matches(patterns, path) is left_out


@pytest.mark.parametrize(
    ("patterns", "folder", "walked"),
    [
        (["a"], b"a", False),
        (["*", "!a"], b"b", False),
        (["*", "!a/b/c"], b"a", True),
        (["*", "!a/b/c"], b"a/b", True),
        (["*", "!a/b/c"], b"a/x", False),
        (["*", "!*/c"], b"x", True),
        (["*", "!*/c"], b"x/y", False),
        (["*", "!**/c"], b"x/y", True),
        (["*", "!src/**/c"], b"src/y", True),
        (["*", "!src/**/c"], b"lib", False),
        (["*", "!s*c/x"], b"src", True),
        (["*", "!a[^b]c"], b"a", True),
        (["*", "!a[^b]c"], b"b", False),
    ],
)
def test_excluded_folders_are_walked_only_where_something_may_be_taken_back(patterns, folder, walked):
    assert Ignore(patterns).may_contain_included(folder) is walked


def test_hostile_patterns_take_no_time():
    patterns = ["*a*a*a*a*a*a*a*a*b", "**/a/**/a/**/a/**/a/**/b", "?*?*?*?*?*?*c"]
    assert matches(patterns, "a" * 255 + "/" + "a/" * 1500) is False


def test_name_matcher_keeps_to_one_name():
    assert name_matcher("**.c").fullmatch("x.c")
    assert not name_matcher("*").fullmatch("a/b")


def test_read_ignore_prefers_the_build_files_own(tmp_path):
    build_file = tmp_path / "docker" / "web.Dockerfile"
    build_file.parent.mkdir()
    context = tmp_path / "app"
    context.mkdir()
    assert read_ignore(context, build_file) == ()
    for file in reversed(ignore_candidates(context, build_file)):
        file.write_text(f"{file.name}\n")
        assert read_ignore(context, build_file) == (file.name,)
    assert read_ignore(context, None) == (".containerignore",)


def test_read_ignore_takes_regular_files_only(tmp_path):
    os.mkfifo(tmp_path / ".containerignore")
    (tmp_path / ".dockerignore").mkdir()
    assert read_ignore(tmp_path, None) == ()


def test_read_ignore_refuses_what_is_too_large(tmp_path):
    (tmp_path / ".dockerignore").write_bytes(b"#" * (5 << 20))
    with pytest.raises(PatternError, match="larger than 4 MiB"):
        read_ignore(tmp_path, None)
