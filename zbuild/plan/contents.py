"""Remembers the content digests of a tree's files under their stat data.

The rule: a digest holds as long as (size, mtime_ns, ctime_ns, inode) are the same, and is remembered only when the
file last changed (ctime: no program can forge it) before the scan began. When that was, a stamp file tells that is
touched on the same file system; a tree on another one is hashed anew each time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from zbuild.base.files import write_whole
from zbuild.base.sealed import read_sealed, seal
from zbuild.plan.fingerprint import XXH3, hash_file

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.plan.fingerprint import Algorithm
    from zbuild.plan.sources import Stamp

_CTIME = 2
_SPARE = 1000
_Row: TypeAlias = "tuple[Stamp, bytes]"


class Moment(NamedTuple):
    """When a scan began, by the clock of one file system."""

    device: int
    time_ns: int

    def is_before(self, stamp: Stamp) -> bool:
        """Tell whether a file last changed later than this, or at the same tick: more changes could go unseen."""
        return stamp[_CTIME] >= self.time_ns


def begin(stamp_file: Path) -> Moment:
    """Touch the stamp file, making its folder, and return when that was. Raises OSError."""
    stamp_file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(stamp_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.utime(handle)
        info = os.fstat(handle)
    finally:
        os.close(handle)
    return Moment(info.st_dev, info.st_ctime_ns)


class Contents:
    """Content digests of the files below one root, kept in one file; one that is missing or damaged is empty."""

    def __init__(self, root: bytes, file: Path, algorithm: Algorithm = XXH3) -> None:
        self._prefix = root.rstrip(b"/") + b"/"
        self._file = file
        self.algorithm = algorithm
        self._rows = _rows(read_sealed("contents", file))
        self._used: set[bytes] = set()
        self._changed = False

    def digest(self, path: bytes, stamp: Stamp, moment: Moment) -> tuple[bytes, bool]:
        """Return a regular file's digest in hex digits, and whether its stat data is still `stamp`.

        `path` is relative to the root. Raises OSError when the file has gone.
        """
        self._used.add(path)
        row = self._rows.get(path)
        if row and row[0] == stamp:
            return row[1], True
        hashed = hash_file(self._prefix + path, self.algorithm)
        if hashed.stamp and not moment.is_before(hashed.stamp):
            self._rows[path] = (hashed.stamp, hashed.digest)
            self._changed = True
        return hashed.digest, hashed.stamp == stamp

    def save(self) -> None:
        """Write the file, if anything was learned. Raises OSError."""
        if self._changed:
            if len(self._rows) > 4 * len(self._used) + _SPARE:  # mostly of files that no one asks for any more
                self._rows = {path: row for path, row in self._rows.items() if path in self._used}
            write_whole(self._file, seal("contents", _columns(self._rows)))
            self._changed = False


def _columns(rows: dict[bytes, _Row]) -> tuple[list[bytes], list[int], list[bytes]]:
    stamps = [number for stamp, _ in rows.values() for number in stamp]
    return list(rows), stamps, [digest for _, digest in rows.values()]


def _rows(value: object) -> dict[bytes, _Row]:
    if not isinstance(value, tuple):
        return {}
    paths, numbers, digests = value
    stamps = zip(*[iter(numbers)] * 4, strict=True)
    return dict(zip(paths, zip(stamps, digests, strict=True), strict=True))
