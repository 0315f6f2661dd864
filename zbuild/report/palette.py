"""Colours by meaning, and whether a stream should get them."""

from __future__ import annotations

import os
from typing import IO, Literal, TypeAlias

from zbuild.base.dataclass import dataclass

Tone: TypeAlias = Literal["error", "warning", "good", "faint", "strong"]

_CODES: dict[Tone, str] = {"error": "1;31", "warning": "33", "good": "32", "faint": "2", "strong": "1"}


@dataclass(frozen=True, slots=True)
class Palette:
    """Paints text for a terminal, or leaves it as it is when `enabled` is false."""

    enabled: bool = False

    def paint(self, tone: Tone, text: str) -> str:
        """Return the text in the colour of its meaning."""
        return f"\x1b[{_CODES[tone]}m{text}\x1b[0m" if self.enabled and text else text


def palette_for(stream: IO[str] | None) -> Palette:
    """Return colours for a terminal, unless NO_COLOR (no-color.org) or a dumb terminal says otherwise."""
    return Palette(is_terminal(stream) and not os.environ.get("NO_COLOR"))


def is_terminal(stream: IO[str] | None) -> bool:
    """Say whether a stream is a terminal that understands cursor movement."""
    return stream is not None and not stream.closed and stream.isatty() and os.environ.get("TERM") != "dumb"
