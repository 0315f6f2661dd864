"""Tells what a RUN has written from what buildah adds about its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.events.types import Stream

# Written after the command's own output, by both kinds of isolation (buildah 1.28 to 1.44).
_ENDING = re.compile(
    r"(Error: )?(while running runtime: )?(subprocess )?(exited with status|exited on|exit status) \w+( \w+)?"
)


class RunOutput:
    """Hands lines on, except for buildah's last ones about the exit: such a line is held until another follows."""

    def __init__(self, on_line: Callable[[Stream, str], None]) -> None:
        self._on_line = on_line
        self._held: list[str] = []

    def line(self, stream: Stream, line: str) -> None:
        """Take a line."""
        if stream == "stderr":
            if _ENDING.fullmatch(line):
                self._held.append(line)
                return
            self._flush()
        self._on_line(stream, line)

    @property
    def exited(self) -> bool:
        """Whether buildah said that the command itself ended with an exit code."""
        return bool(self._held)

    def _flush(self) -> None:
        for line in self._held:
            self._on_line("stderr", line)
        self._held.clear()
