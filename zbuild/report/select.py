"""Chooses the display of a build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from zbuild.report.palette import is_terminal, palette_for

if TYPE_CHECKING:
    from typing import TextIO

    from zbuild.events.types import Event

Progress: TypeAlias = Literal["auto", "tty", "plain", "json", "quiet"]


class Report(Protocol):
    """A reader of events. `close` gives back what it holds of the terminal and may be called at any time."""

    def __call__(self, event: Event) -> None:
        """Take one event; calls come one at a time, from any thread."""
        ...

    def close(self) -> None:
        """End the display."""
        ...


def open_report(progress: Progress, stream: TextIO) -> Report:
    """Return the display of that name; `auto` is `tty` on a terminal and `plain` elsewhere."""
    match progress:
        case "auto":
            return open_report("tty" if is_terminal(stream) else "plain", stream)
        case "tty":
            from zbuild.report.tty import TtyReport  # noqa: PLC0415 - one display is needed, not all

            return TtyReport(stream, palette_for(stream))
        case "plain":
            from zbuild.report.plain import PlainReport  # noqa: PLC0415 - likewise

            return PlainReport(stream)
        case "json":
            from zbuild.report.jsonl import JsonReport  # noqa: PLC0415 - likewise

            return JsonReport(stream)
        case "quiet":
            from zbuild.report.quiet import QuietReport  # noqa: PLC0415 - likewise

            return QuietReport(stream, palette_for(stream))
