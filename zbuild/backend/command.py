"""Commands as data: what would be started, fit to be printed, compared and tested without starting anything."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from zbuild.model.ops import Pairs

HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its arguments; never a shell line.

    `env` is added to zbuild's own environment, less the variables in `drop`. `stdin` is all the program can read.
    `timeout` and `silence` are seconds, 0 = none: how long it may take, and how long it may write nothing. `redact` are
    texts never to be printed. `umask` -1 is zbuild's own.
    """

    argv: tuple[str, ...]
    env: Pairs = ()
    cwd: str = ""
    stdin: bytes = b""
    timeout: float = 0
    silence: float = 0
    redact: tuple[str, ...] = ()
    umask: int = -1
    drop: tuple[str, ...] = ()

    def __str__(self) -> str:
        return shlex.join(hide(argument, self.redact) for argument in self.argv)


def hide(text: str, secrets: tuple[str, ...]) -> str:
    """Replace every secret in a text by `***`; the longest first, since one may be part of another."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
