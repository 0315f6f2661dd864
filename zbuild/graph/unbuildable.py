"""What build files may hold and nothing here can build: it is read, and refused where it would be built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic
from zbuild.model.ops import ExecForm, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zbuild.model.ops import Op


def unbuildable(instructions: Iterable[Op]) -> Iterator[Diagnostic]:
    """Yield an error for everything in the instructions of one stage that cannot be built."""
    for op in instructions:
        if isinstance(op, Run):
            yield from _unbuildable_run(op)


def _unbuildable_run(op: Run) -> Iterator[Diagnostic]:
    if op.command == ExecForm(()):
        yield Diagnostic("missing-argument", "RUN needs a command", op.span)
    if op.insecure:
        hint = "every RUN is in a sandbox"
        yield Diagnostic("not-yet", "RUN --security=insecure is not supported", op.span, hint)
    if op.devices:
        yield Diagnostic("not-yet", "RUN --device is not supported", op.span)
