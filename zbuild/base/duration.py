"""Durations as Go writes them (`1m30s`, `500ms`), which Dockerfiles and ZImagefiles use."""

from __future__ import annotations

import re
from contextlib import suppress

_UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def parse_duration(text: str) -> int:
    """Return a duration in nanoseconds; a bare number is seconds.

    Raises ValueError for anything else.
    """
    word = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", word):
        return round(float(word) * 10**9)
    if not word or _PART.sub("", word):
        msg = f"'{text}' is not a duration; write it like 30s, 1m30s or 500ms"
        raise ValueError(msg)
    return round(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(word)))


def parse_age(text: str) -> float:
    """Return in seconds how long ago something was: a duration with units, whole days or weeks (`7d`, `2w`), or 0.

    Raises ValueError for anything else, a bare number too: 3 could be seconds or days.
    """
    found = re.fullmatch(r"(\d+)([dw])", text.strip(), re.ASCII)
    if found:
        return float(found[1]) * (24 * 3600 if found[2] == "d" else 7 * 24 * 3600)
    with suppress(ValueError):
        age = parse_duration(text) / 10**9
        if not age or not text.strip()[-1].isdigit():
            return age
    raise ValueError(f"'{text}' is not an age; write it like 12h, 7d or 2w")
