"""Progress on a terminal: finished stages scroll by above a live region of the running ones."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from zbuild.base.text import duration_text
from zbuild.events.types import (
    BuildFailed,
    BuildFinished,
    ImagePushed,
    ImageTagged,
    Notice,
    StageFailed,
    StageFinished,
    StageRetried,
    StageStarted,
)
from zbuild.report.clean import one_line, printable
from zbuild.report.plain import notice_lines
from zbuild.report.stream import ProgressStream
from zbuild.report.summary import summary_lines
from zbuild.report.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from zbuild.events.types import Event
    from zbuild.report.live import LiveRegion
    from zbuild.report.palette import Palette


class TtyReport:
    """Draws with rich, which is imported when the first stage starts: a run with nothing to do never needs it."""

    def __init__(self, stream: TextIO, palette: Palette, tally: Tally | None = None) -> None:
        self._stream = ProgressStream(stream)
        self._palette = palette
        self._tally = tally or Tally()
        self._lock = threading.Lock()  # held while the state changes or is read, never while something is drawn
        self._region: LiveRegion | None = None

    def __call__(self, event: Event) -> None:
        """Follow one event."""
        with self._lock:
            news = self._tally.take(event)
        if isinstance(event, StageStarted) and self._region is None:
            self._region = self._open()
        if isinstance(event, BuildFinished | BuildFailed):
            self.close()
            self._stream.lines(summary_lines(self._tally, self._palette, self._stream.encoding))
        elif news:
            self._scroll(self._passing(event))

    def close(self) -> None:
        """Take the live region away and give the cursor back; safe to call at any time, and twice."""
        if self._region is not None:
            self._region.close()
            self._region = None

    def _open(self) -> LiveRegion:
        from zbuild.report.live import LiveRegion  # noqa: PLC0415 - brings rich along, which a no-op must not

        return LiveRegion(self._stream, self._tally, self._lock)

    def _scroll(self, lines: list[str]) -> None:
        if self._region is None:
            self._stream.lines(lines)
        elif lines:
            self._region.above(lines)

    def _passing(self, event: Event) -> list[str]:
        paint = self._palette.paint
        match event:
            case Notice() | ImageTagged() | ImagePushed():
                return notice_lines(event)
            case StageFinished():
                return [finished_line(event, paint)]
            case StageFailed():
                return [f"{paint('error', 'failed')}  {event.stage}: {self._clean(event.message)}"]
            case StageRetried():
                again = f"attempt {event.attempt}: {self._clean(event.reason)}"
                return [f"{paint('warning', 'again')}   {event.stage}: {again}"]
            case _:
                return []

    def _clean(self, text: str) -> str:
        return printable(one_line(text), self._stream.encoding)


def finished_line(event: StageFinished, paint: Callable[..., str]) -> str:
    """Return the line of a stage that has its result."""
    if event.action == "cached":
        return f"{paint('faint', 'cached')}  {event.stage}: {event.reason}"
    done = "built " if event.action == "run" else "pulled"
    return f"{paint('good', done)}  {event.stage} {paint('faint', f'in {duration_text(event.seconds)}')}"
