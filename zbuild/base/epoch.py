"""The time that reproducible images bear, in seconds since 1970: SOURCE_DATE_EPOCH (reproducible-builds.org)."""

from __future__ import annotations

from typing import TypeAlias

EPOCH_ARG = "SOURCE_DATE_EPOCH"
# 1980-01-01: commands are told the epoch, and zip files hold nothing earlier.
DEFAULT_EPOCH = 315_532_800
LATEST_EPOCH = 253_402_300_799  # the last second that RFC 3339 can write
_MOST_DIGITS = 4000  # Python refuses to read longer numbers

Reproducible: TypeAlias = bool | int | None
"""What an image says: False and True are no epochs but wishes, None is nothing."""


def chosen_epoch(said: Reproducible, given: str) -> int | None:
    """Return the epoch of an image, None for one that is not reproducible.

    `given` is what SOURCE_DATE_EPOCH is set to, "" for nothing; it goes before any other epoch, but an image that says
    False has none. Raises ValueError for what is no epoch.
    """
    if said is False:
        return None
    if given:
        return parse_epoch(given)
    return DEFAULT_EPOCH if said is True else said


def parse_epoch(text: str) -> int:
    """Return an epoch. Raises ValueError for a text that is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS and int(text) <= LATEST_EPOCH):
        message = f"{EPOCH_ARG} is '{text}', which is no number of seconds since 1970"
        raise ValueError(message)
    return int(text)
