"""The stream that progress goes to: any encoding, and nobody need be reading it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO


class ProgressStream:
    """Writes to a stream and goes quiet when that fails: a reader that has gone must not end the build.

    It has as much of a file's face as rich asks for.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._gone = False
        self.encoding = stream.encoding or "utf-8"

    def lines(self, lines: Iterable[str]) -> None:
        """Write whole lines, at once and flushed."""
        text = "".join(f"{line}\n" for line in lines)
        if text:
            self.write(text)
            self.flush()

    def write(self, text: str) -> int:
        """Write text, replacing what the encoding cannot express."""
        if not self._gone:
            self._attempt(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what is buffered."""
        if not self._gone:
            self._attempt("")

    def isatty(self) -> bool:
        """Say whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's file descriptor."""
        return self._stream.fileno()

    def _attempt(self, text: str) -> None:
        try:
            if text:
                self._stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
            else:
                self._stream.flush()
        except (OSError, ValueError):  # a closed pipe, a full disk, a stream its owner closed
            self._gone = True
