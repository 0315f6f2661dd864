"""How much room files take, and amounts of it as people write them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 512  # what st_blocks counts in, on every Linux
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", re.IGNORECASE | re.ASCII)


def tree_size(path: Path | str) -> int:
    """Return the bytes that a file or a folder takes on disk, a file of several names counted once.

    Nothing follows links; what cannot be read, or goes away meanwhile, counts nothing.
    """
    counted: dict[tuple[int, int], int] = {}
    for found in _stats(str(path)):
        counted[found.st_dev, found.st_ino] = found.st_blocks * _BLOCK
    return sum(counted.values())


def _stats(path: str) -> Iterator[os.stat_result]:
    try:
        yield os.lstat(path)
    except OSError:
        return
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            try:
                yield os.lstat(os.path.join(folder, name))  # noqa: PTH118 - os.walk gives texts
            except OSError:
                continue


def parse_size(text: str) -> int:
    """Return the bytes of `500MB`, `1.5GiB` or a bare number. Raises ValueError for anything else."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text}' is not a size; write it like 500MB, 2GB or 1.5GiB")
    return round(float(found[1]) * _UNITS[(found[2] or "").lower()])
