"""Nothing but what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.events.types import StageFailed
from zbuild.report.stream import ProgressStream
from zbuild.report.summary import failure_lines

if TYPE_CHECKING:
    from typing import TextIO

    from zbuild.events.types import Event
    from zbuild.report.palette import Palette


class QuietReport:
    """Writes failed stages, and nothing else."""

    def __init__(self, stream: TextIO, palette: Palette) -> None:
        self._stream = ProgressStream(stream)
        self._palette = palette

    def __call__(self, event: Event) -> None:
        """Tell an event if it is a failure."""
        if isinstance(event, StageFailed):
            self._stream.lines(failure_lines(event, self._palette, self._stream.encoding))

    def close(self) -> None:
        """Nothing is held open."""
