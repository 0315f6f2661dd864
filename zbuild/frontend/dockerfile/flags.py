"""Flags of instructions: `--name=value` words between the keyword and the arguments."""

from __future__ import annotations

import re
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.base.text import did_you_mean
from zbuild.syntax.word_parts import SPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.frontend.dockerfile.statement import Flag, Statement

FlagKind: TypeAlias = Literal["text", "switch", "list", "later"]
"""A flag's kind: a text, a switch (`--link`, `--link=false`), a text that may be repeated, or not supported yet."""

NO_FLAGS: Mapping[str, FlagKind] = {}


@dataclass(slots=True)
class Flags:
    """The flags of one instruction, by name, in the order written."""

    given: dict[str, list[Flag]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a flag's value, "" when it is not given."""
        return next((flag.value or "" for flag in self.given.get(name, ())), "")

    def switch(self, name: str) -> bool:
        """Tell whether a switch is on."""
        return any((flag.value or "true").lower() == "true" for flag in self.given.get(name, ()))

    def choice(self, name: str) -> bool | None:
        """Tell whether a switch is on; None when it is not given."""
        return self.switch(name) if name in self.given else None

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the values of a flag that may be repeated."""
        return tuple(flag.value or "" for flag in self.given.get(name, ()))

    def all(self, name: str) -> tuple[Flag, ...]:
        """Return a flag as often as it is given, with its place."""
        return tuple(self.given.get(name, ()))

    def span(self, name: str, default: Span) -> Span:
        """Return where a flag stands."""
        return next((flag.span for flag in self.given.get(name, ())), default)


def split_flags(text: str, start: int, escape: str) -> tuple[list[tuple[int, str]], int]:
    """Read the flags from `start` on: each with its offset and without quotes and escapes; and where they end.

    The lone word `--` ends them, and is dropped.
    """
    patterns = _flag_patterns(escape)
    flags: list[tuple[int, str]] = []
    while match := patterns.flag.match(text, start):
        start = match.end()
        if match[1] == "--":
            break
        flags.append((match.start(1), patterns.piece.sub(patterns.unquote, match[1])))
    return flags, start


@dataclass(frozen=True, slots=True)
class _FlagPatterns:
    """`flag` is white space and a flag; `piece` something quoted or escaped in it, `escaped` one escaped character."""

    flag: re.Pattern[str]
    piece: re.Pattern[str]
    escaped: re.Pattern[str]

    def unquote(self, piece: re.Match[str]) -> str:
        """Take quotes and escapes away; unlike in words, escapes count in single quotes too."""
        inner = piece[1] or piece[2]
        return self.escaped.sub(r"\1", inner) if inner else piece[3] or ""


@cache
def _flag_patterns(escape: str) -> _FlagPatterns:
    mark = re.escape(escape)
    quoted = [f"{quote}((?:{mark}.|[^{quote}{mark}])*){quote}?" for quote in "\"'"]
    piece = f"{'|'.join(quoted)}|{mark}(.?)"
    flag = f"[{SPACE}]*(--(?:{piece}|[^{SPACE}\"'{mark}])*)"
    return _FlagPatterns(
        re.compile(flag, re.DOTALL), re.compile(piece, re.DOTALL), re.compile(f"{mark}(.?)", re.DOTALL)
    )


def read_flags(statement: Statement, kinds: Mapping[str, FlagKind], problems: Diagnostics) -> Flags:
    """Check a statement's flags against those its instruction has; wrong ones are reported and left out."""
    flags = Flags()
    for flag in statement.flags:
        if _accepted(statement, flag, kinds, flags, problems):
            flags.given.setdefault(flag.name, []).append(flag)
    return flags


def _accepted(
    statement: Statement, flag: Flag, kinds: Mapping[str, FlagKind], known: Flags, problems: Diagnostics
) -> bool:
    kind = kinds.get(flag.name)
    if kind is None:
        hint = did_you_mean(flag.name, kinds).replace("'", "'--", 1)
        problems.error("unknown-flag", f"{statement.keyword} has no flag '--{flag.name[:40]}'", flag.span, hint)
    elif kind == "later":
        problems.error("not-yet", f"{statement.keyword} --{flag.name} is not supported yet", flag.span)
    elif flag.name in known.given and kind != "list":
        problems.error("bad-flag", f"the flag '--{flag.name}' is given twice", flag.span)
    elif kind == "switch" and flag.value is not None and flag.value.lower() not in ("true", "false"):
        problems.error("bad-flag", f"'--{flag.name}' is true or false, not '{flag.value[:40]}'", flag.span)
    elif kind != "switch" and flag.value is None:
        problems.error("bad-flag", f"the flag '--{flag.name}' needs a value", flag.span, f"write --{flag.name}=VALUE")
    else:
        return True
    return False
