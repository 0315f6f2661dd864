"""Progress as JSON lines, for programs: one object per event."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from zbuild.report.stream import ProgressStream

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from zbuild.events.types import Event


class JsonReport:
    """Writes `{"event": NAME, "time": seconds since the start, …the event's fields}` and a newline per event."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = ProgressStream(stream)
        self._clock = clock
        self._start = clock()

    def __call__(self, event: Event) -> None:
        """Tell one event; everything but ASCII is escaped, so any reader can decode it."""
        head = {"event": type(event).__name__, "time": round(self._clock() - self._start, 3)}
        self._stream.lines([json.dumps(head | asdict(event))])

    def close(self) -> None:
        """Nothing is held open."""
