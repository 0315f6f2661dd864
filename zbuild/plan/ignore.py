"""Ignore files (`.dockerignore`): which paths of a context are left out.

The rules are moby's (moby/patternmatcher, MatchesOrParentMatches): a pattern that matches a folder matches all in it,
and of the patterns that match a path the last one decides; `!` before a pattern takes back in.
"""

from __future__ import annotations

import os
import re
import stat
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from zbuild.base.gomatch import PatternError
from zbuild.plan.gomatch import clean, folder_regex, path_regex

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ANY_DEPTH = "(?:.*/)?"
_MAX_FILE = 4 << 20
_BOM = b"\xef\xbb\xbf"


class _Rule(NamedTuple):
    negated: bool
    regex: str
    folders: str | None


class Ignore:
    """A compiled list of ignore patterns. Paths are relative to the context, with `/`; the context itself is `b""`."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile patterns as `parse_ignore` returns them; raises PatternError."""
        self.patterns = tuple(patterns)
        rules = [_rule(text) for pattern in self.patterns if (text := pattern.strip())]
        runs = [(negated, _any_of([rule.regex for rule in run])) for negated, run in groupby(rules, _is_negated)]
        self._runs = [(regex.match, not negated) for negated, regex in reversed(runs)]
        folders = [rule.folders for rule in rules if rule.negated and rule.folders]
        self._folders = re.compile("|".join(folders) or "(?!)", re.DOTALL)

    def excluded(self, path: bytes) -> bool:
        """Tell whether a path is left out."""
        text = path.decode("utf-8", "surrogateescape")
        for match, verdict in self._runs:
            if match(text):
                return verdict
        return False

    def may_contain_included(self, folder: bytes) -> bool:
        """Tell whether a pattern with `!` could match below an excluded folder, so that it must be walked."""
        return self._folders.fullmatch(folder.decode("utf-8", "surrogateescape")) is not None


def _rule(pattern: str) -> _Rule:
    text = clean(pattern)
    negated = text.startswith("!")
    text = text[negated:]
    if not text:
        raise PatternError(pattern, "no pattern follows '!'")
    return _Rule(negated, path_regex(text), folder_regex(text))


def _is_negated(rule: _Rule) -> bool:
    return rule.negated


def _any_of(regexes: list[str]) -> re.Pattern[str]:
    """Match a path that one of the regexes matches, or a parent of it.

    Patterns that begin with `**/` share their search through the parents.
    """
    deep = [regex.removeprefix(_ANY_DEPTH) for regex in regexes if regex.startswith(_ANY_DEPTH)]
    choices = [regex for regex in regexes if not regex.startswith(_ANY_DEPTH)]
    if deep:
        choices.append(f"{_ANY_DEPTH}(?:{'|'.join(deep)})")
    return re.compile(f"(?:{'|'.join(choices)})(?:/|\\Z)", re.DOTALL)


def matches(patterns: Iterable[str], path: str) -> bool:
    """Tell whether patterns leave a path out; the path need not be clean, and `.` is never left out.

    Raises PatternError.
    """
    ignore = Ignore(patterns)
    name = clean(path)
    return name != "." and ignore.excluded(name.encode("utf-8", "surrogateescape"))


def normal_pattern(line: str) -> str:
    """Return a pattern as the matcher wants it: clean and relative, with its `!` in front."""
    text = line.strip()
    negated = text.startswith("!")
    text = text[negated:].strip()
    if text:
        text = clean(text)
        text = text[1:] if len(text) > 1 and text.startswith("/") else text
    return "!" * negated + text


def parse_ignore(data: bytes, file: str = "") -> tuple[str, ...]:
    """Return the patterns of an ignore file's bytes, in order; `file` is its name for messages.

    Blank lines and lines that begin with `#` are comments. Raises PatternError with the line.
    """
    patterns: list[str] = []
    text = data.removeprefix(_BOM).decode("utf-8", "surrogateescape")
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#") or not line.strip():
            continue
        pattern = normal_pattern(line)
        try:
            _rule(pattern)
        except PatternError as error:
            raise PatternError(line.strip(), error.problem, line=number, file=file) from None
        patterns.append(pattern)
    return tuple(patterns)


def ignore_candidates(context: Path, build_file: Path | None) -> tuple[Path, ...]:
    """Return where a context's ignore file may stand, the first that exists being the one."""
    names = [context / ".containerignore", context / ".dockerignore"]
    if build_file is None:
        return tuple(names)
    own = [build_file.with_name(build_file.name + suffix) for suffix in (".dockerignore", ".containerignore")]
    return (*own, *names)


def read_ignore(context: Path, build_file: Path | None) -> tuple[str, ...]:
    """Return the patterns of the ignore file that holds for a context, none where there is no such file.

    A build file's own (`Dockerfile.dockerignore`) wins over the context's `.containerignore` and `.dockerignore`.
    Raises PatternError with file and line, and OSError for a file that cannot be read.
    """
    for file in ignore_candidates(context, build_file):
        data = _read_regular(file)
        if data is not None:
            return parse_ignore(data, str(file))
    return ()


def _read_regular(file: Path) -> bytes | None:
    """Return a file's bytes, or None where there is no regular file; a FIFO is never waited for."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with open(handle, "rb", closefd=False) as stream:
            data = stream.read(_MAX_FILE + 1)
    finally:
        os.close(handle)
    if len(data) > _MAX_FILE:
        raise PatternError("", f"larger than {_MAX_FILE >> 20} MiB", line=1, file=str(file))
    return data
