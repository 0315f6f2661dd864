"""Go's `path.Match` patterns (those of `filepath.Match` too, where `/` separates) as regular expressions.

Source of the rules: Go's documentation of path.Match. A star between two others is matched once, as early as it can be,
and never tried again: no pattern takes more than linear time per star. Ignore files' `**` is added by `plan.gomatch`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby

STAR = "*"
STARS = "**"


class PatternError(ValueError):
    """A pattern that is not well-formed. `line` counts from 1 where the pattern stood in a file, else it is 0."""

    def __init__(self, pattern: str, problem: str, *, line: int = 0, file: str = "") -> None:
        place = f"{file}:{line}: " if file else f"line {line}: " if line else ""
        super().__init__(f"{place}bad pattern '{pattern}': {problem}")
        self.pattern = pattern
        self.problem = problem
        self.line = line
        self.file = file


def has_wildcard(pattern: str) -> bool:
    """Tell whether a path component is a pattern rather than a name."""
    return not set(pattern).isdisjoint("*?[")


@lru_cache(maxsize=256)
def name_matcher(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of path.Match; use its `fullmatch`. `**` means no more than `*`.

    Raises PatternError.
    """
    return re.compile(plain(parse(pattern, stars=False)), re.DOTALL)


def parse(pattern: str, *, stars: bool = True) -> list[str]:
    """Split a pattern into STAR and pieces of regular expression; a slash is a piece of its own.

    With `stars` the rules are those of ignore files: STARS is a piece that takes one slash after it along, and a
    reversed range is refused, which otherwise matches nothing. Raises PatternError.
    """
    pieces: list[str] = []
    at = 0
    while at < len(pattern):
        piece, at = _piece(pattern, at, stars=stars)
        pieces.append(piece)
    return pieces


def _piece(pattern: str, at: int, *, stars: bool) -> tuple[str, int]:
    char = pattern[at]
    if stars and pattern.startswith("**", at):
        return STARS, at + 3 if pattern.startswith("/", at + 2) else at + 2
    if char == "*":
        return STAR, at + 1
    if char == "?":
        return "[^/]", at + 1
    if char == "[":
        return _character_class(pattern, at + 1, strict=stars)
    if char == "\\":
        at += 1
        if at == len(pattern):
            raise PatternError(pattern, "nothing follows the last backslash")
    return re.escape(pattern[at]), at + 1


def _character_class(pattern: str, at: int, *, strict: bool) -> tuple[str, int]:
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[str] = []
    first = True
    while first or not pattern.startswith("]", at):
        first = False
        low, at = _class_character(pattern, at)
        high = low
        if pattern.startswith("-", at):
            high, at = _class_character(pattern, at + 1)
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        elif strict:
            raise PatternError(pattern, f"the range '{low}-{high}' in a character class is reversed")
    if not ranges:
        return ("." if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{''.join(ranges)}]", at + 1


def _class_character(pattern: str, at: int) -> tuple[str, int]:
    """Return a member of a character class and the place after it, where the class must go on."""
    char = pattern[at : at + 1]
    if char in ("-", "]"):
        raise PatternError(pattern, f"'{char}' in a character class must be written '\\{char}'")
    if char == "\\":
        at += 1
    if at + 1 >= len(pattern):
        raise PatternError(pattern, "the character class is not closed")
    return pattern[at], at + 1


def split(pieces: list[str], separator: str) -> list[list[str]]:
    """Split pieces at each of those that equal `separator`."""
    parts: list[list[str]] = [[]]
    for is_separator, group in groupby(pieces, separator.__eq__):
        if is_separator:
            parts.extend([] for _ in group)
        else:
            parts[-1].extend(group)
    return parts


def plain(pieces: list[str]) -> str:
    """Join pieces without STARS. Only the last star may be tried at several places."""
    head, *rest = ("".join(part) for part in split(pieces, STAR))
    if not rest:
        return head
    return head + "".join(f"(?>[^/]*?{part})" for part in rest[:-1]) + "[^/]*" + rest[-1]
