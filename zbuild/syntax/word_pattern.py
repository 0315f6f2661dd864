r"""Patterns of `${NAME#pattern}`, `%` and `/`: `*`, `?` and `\`; there are no bracket expressions.

The rules are those of BuildKit's shell lexer: neither `*` nor `?` matches a line end, and `\` may stand before `*`, `?`
and itself, and before `}` and `/`, which could not be written otherwise.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import groupby

from zbuild.base.dataclass import dataclass
from zbuild.syntax.word_parts import WordError

_STAR = "*"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: what stands before its first `*`, and the rest.

    The rest is made of atomic groups, so that matching never backtracks from one `*` into another.
    """

    head: re.Pattern[str]
    tail: re.Pattern[str]

    def match(self, value: str) -> int | None:
        """Return where the match at the start of `value` ends, or None."""
        head = self.head.match(value)
        tail = head and self.tail.match(value, head.end())
        return tail.end() if tail else None

    def find(self, value: str, start: int = 0) -> tuple[int, int] | None:
        """Return start and end of the leftmost match at or after `start`, or None."""
        while head := self.head.search(value, start):
            if tail := self.tail.match(value, head.end()):
                return head.start(), tail.end()
            line_end = value.find("\n", head.end())
            if line_end < 0:  # what does not follow this head cannot follow a later one either
                return None
            start = line_end + 1
        return None


@lru_cache(maxsize=256)
def compile_pattern(pattern: str, *, longest: bool, backwards: bool = False) -> Pattern:
    r"""Compile a pattern whose matches are the longest or the shortest ones; `backwards` for reversed values.

    Raises WordError when `\` stands before any other character.
    """
    tokens = _tokens(pattern)
    head, *others = _segments(tokens[::-1] if backwards else tokens)
    # Taking each middle segment at its first place leaves the most room for the last one, which alone decides the end.
    parts = [f"(?>.*?{segment})" for segment in others]
    if others and longest:
        parts[-1] = f"(?>.*{others[-1]})"
    return Pattern(re.compile(head), re.compile("".join(parts)))


def _tokens(pattern: str) -> list[str]:
    """Return regular expressions for single characters, and _STAR for each `*`."""
    tokens: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "\\":
            char = pattern[at : at + 1]
            at += 1
            if not char or char not in "*?\\}/":
                raise WordError(f"invalid escape '\\{char}' in the pattern '{pattern}'")
            tokens.append(re.escape(char))
        else:
            tokens.append({"*": _STAR, "?": "."}.get(char) or re.escape(char))
    return tokens


def _segments(tokens: list[str]) -> list[str]:
    """Split tokens at stars; the first segment is what stands before the first star, perhaps nothing."""
    segments = [""]
    for is_star, group in groupby(tokens, _STAR.__eq__):
        if is_star:
            segments.append("")
        else:
            segments[-1] += "".join(group)
    return segments
