"""Is everything a digest depended on as it was? The no-op path asks this, so it imports next to nothing.

A watch file holds the root, the folders with the names looked at in each, their stat data as flat numbers, and paths
that were not there. `statindex` writes it, and only when nothing in it is racy.
"""

from __future__ import annotations

import os

from zbuild.base.sealed import read_sealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    # root; (folder, whether its own stat data counts, names in it); 4 numbers for each of these; what is not there
    Watch: TypeAlias = tuple[bytes, list[tuple[bytes, bool, list[bytes]]], list[int], list[bytes]]


def check(file: str | os.PathLike[str]) -> bool:
    """Tell whether all that a watch file lists is unchanged; False as well when the file cannot be used.

    Changes the working folder while it looks (that halves the cost of a stat), so no other thread may run.
    """
    watch: Any = read_sealed("watch", file)
    if not isinstance(watch, tuple):
        return False
    try:
        here = os.open(".", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return _unchanged(watch)
    except (OSError, ValueError):
        return False
    finally:
        os.fchdir(here)
        os.close(here)


def _unchanged(watch: Watch) -> bool:
    root, folders, numbers, missing = watch
    expected = iter(numbers)
    for folder, counts, names in folders:
        os.chdir(root + folder)
        for info in map(os.lstat, [b".", *names] if counts else names):
            if (
                info.st_size != next(expected)
                or info.st_mtime_ns != next(expected)
                or info.st_ctime_ns != next(expected)
                or info.st_ino != next(expected)
            ):
                return False
    return not any(os.path.lexists(root + path) for path in missing)
