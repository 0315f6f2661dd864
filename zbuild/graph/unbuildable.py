"""What build files may hold and nothing here can build: it is read, and refused where it would be built."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.filemode import parse_file_mode
from zbuild.model.ops import Copy, ExecForm, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zbuild.model.ops import Op

_PLAIN = re.compile(r"[\w+=,-]+")


def unbuildable(instructions: Iterable[Op]) -> Iterator[Diagnostic]:
    """Yield an error for everything in the instructions of one stage that cannot be built."""
    for op in instructions:
        if isinstance(op, Run):
            yield from _unbuildable_run(op)
        elif isinstance(op, Copy):
            yield from _unbuildable_copy(op)


def _unbuildable_copy(op: Copy) -> Iterator[Diagnostic]:
    if op.mode and _PLAIN.fullmatch(op.mode):  # others mean something only when variables are known
        try:
            parse_file_mode(op.mode)
        except ValueError as error:
            yield Diagnostic("bad-mode", str(error), op.span)


def _unbuildable_run(op: Run) -> Iterator[Diagnostic]:
    if op.command == ExecForm(()):
        yield Diagnostic("missing-argument", "RUN needs a command", op.span)
    if op.insecure:
        hint = "every RUN is in a sandbox"
        yield Diagnostic("not-yet", "RUN --security=insecure is not supported", op.span, hint)
    if op.devices:
        yield Diagnostic("not-yet", "RUN --device is not supported", op.span)
