"""Small helpers for what is written to people."""

from __future__ import annotations

from heapq import nlargest
from os.path import commonprefix
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_COMPARED = 500  # names that a misspelt one is held against: it takes 10 µs each


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the nearest known word, or an empty text."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    names = list(known)
    if len(names) > _MOST_COMPARED:
        # RUF071 takes names for paths; here the characters count.
        names = nlargest(_MOST_COMPARED, names, key=lambda name: len(commonprefix((name, word))))  # noqa: RUF071
    for written in dict.fromkeys((word, word.lower())):
        close = get_close_matches(written, names, n=1, cutoff=0.6)
        if close:
            return f"did you mean '{close[0]}'?"
    return ""


def shortened(text: str, limit: int = 80) -> str:
    """Return a text cut to `limit` characters, so that what users wrote cannot flood a message."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def plural(count: int, noun: str) -> str:
    """Return `1 stage`, `2 stages`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def checkpoint_text(done: int, steps: int) -> str:
    """Return how much of a stage need not be run, in brackets, to follow a reason; nothing when all must."""
    return f" ({done} of {plural(steps, 'instruction')} from a checkpoint)" if done else ""


def duration_text(seconds: float) -> str:
    """Return seconds as people read them: `0.07 s`, `12.3 s`, `2 min 05 s`."""
    if seconds < 10:  # noqa: PLR2004 - under ten seconds a hundredth still tells something
        return f"{seconds:.2f} s"
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def size_text(size: int) -> str:
    """Return a byte count in decimal units, as docker and buildah print them."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def age_text(seconds: float) -> str:
    """Return how long ago something was, in the largest whole unit: `40 s`, `5 min`, `3 h`, `12 d`."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"
