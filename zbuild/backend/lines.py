"""Turns what a program writes into lines of bounded length."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.events.types import Stream

OnLine: TypeAlias = "Callable[[Stream, str], None]"

LINE_LIMIT = 8192
TAIL_LINES = 50
OUTPUT_LIMIT = 16 * 1024 * 1024


class LineStream:
    """One of a program's outputs. Lines go to `on_line`, if given; else the text is kept, up to 16 MiB.

    Bytes that are no UTF-8 become U+FFFD; a line of more than 8 KiB is told in pieces. `tail` holds the last 50 lines.
    """

    def __init__(self, name: Stream, on_line: OnLine | None = None) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._name = name
        self._on_line = on_line
        self._rest = b""
        self._kept = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what was read; empty data is the end."""
        if self._on_line is None:
            self._kept += data[: OUTPUT_LIMIT - len(self._kept)]
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(self._rest) > LINE_LIMIT or (self._rest and not data):
            self._tell(self._rest[:LINE_LIMIT])
            self._rest = self._rest[LINE_LIMIT:]

    def text(self) -> str:
        """Return all that was kept."""
        return self._kept.decode("utf-8", "replace")

    def _tell(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), LINE_LIMIT):
            text = line[start : start + LINE_LIMIT].decode("utf-8", "replace").rstrip("\r")
            self.tail.append(text)
            if self._on_line:
                self._on_line(self._name, text)
