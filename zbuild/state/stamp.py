"""The no-op path's stamp: what the last run saw, so that the next can tell at once that nothing changed.

This module and what it imports are all that `zbuild build` loads when there is nothing to do: it imports next to
nothing, and a test holds it to that. Whoever makes a stamp must leave it out when a file's times are not older than
the scan itself: an edit within one tick of the file system's clock cannot be seen here.
"""

from __future__ import annotations

import os

import xxhash

from zbuild.base.sealed import read_sealed, seal

_KIND = "stamp"
_KEPT = 64  # each command line has its own


def write_stamp(path: str, stamp: dict[str, object]) -> None:
    """Write a stamp of plain builtin values, atomically; of the stamps beside it, the newest are kept.

    Raises StateError when the file cannot be written, ValueError for values that marshal cannot hold.
    """
    from pathlib import Path  # noqa: PLC0415 - only runs that wrote something come here

    from zbuild.state.folder import atomic_write, keep_newest  # noqa: PLC0415 - likewise

    atomic_write(path, seal(_KIND, stamp))
    keep_newest(Path(path).parent, ".stamp", _KEPT)


def read_stamp(path: str) -> dict[str, object] | None:
    """Return the stamp, or None when there is none, or it is damaged or another version's. Never raises."""
    stamp = read_sealed(_KIND, path)
    return stamp if isinstance(stamp, dict) else None


def stat_row(path: str) -> tuple[str, int, int, int, int]:
    """Return (path, size, mtime_ns, ctime_ns, inode), links followed; (path, -1, 0, 0, 0) for what is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - pathlib costs more than the whole fast path
    except (OSError, ValueError):
        return (path, -1, 0, 0, 0)
    return (path, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def environment_row(name: str) -> tuple[str, str]:
    """Return a variable of the environment with what its value hashes to, "" when it is not set.

    The value itself is not kept: nobody knows what is in it.
    """
    value = os.environ.get(name)
    return (name, "" if value is None else xxhash.xxh3_128_hexdigest(os.fsencode(value)))


def same_environment(rows: list[tuple[str, str]]) -> bool:
    """Return whether every variable is as its row says."""
    return all(environment_row(row[0]) == tuple(row) for row in rows)


def unchanged(rows: list[tuple[str, int, int, int, int]]) -> bool:
    """Return whether every path is as its row says; it stops at the first that is not."""
    return all(stat_row(row[0]) == tuple(row) for row in rows)
