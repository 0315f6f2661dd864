"""Gives files a second name elsewhere on their file system, where a copy would take their size in time and space."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.libc import last_error, libc

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYS_OPEN_TREE = 428  # the same on all machines
_AT_FDCWD = -100
_OPEN_TREE_CLONE = 1


@contextmanager
def without_mounts(folder: Path) -> Iterator[Path]:
    """Yield a path by which a folder is seen as if nothing were mounted in it (open_tree(2)).

    A file cannot be linked from one mount into another, not even on one file system; while any buildah runs, it has a
    folder of its store mounted upon itself.
    """
    descriptor = libc().syscall(_SYS_OPEN_TREE, _AT_FDCWD, bytes(folder), _OPEN_TREE_CLONE | os.O_CLOEXEC)
    if descriptor < 0:
        raise last_error(str(folder))
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def link_tree(source: bytes, target: bytes) -> None:
    """Put all that a folder holds into another, which then is as the first: owner, mode, attributes and times.

    Whatever is no folder is linked, devices and symbolic links as well. Raises OSError.
    """
    with os.scandir(source) as entries:
        for entry in entries:
            place = target + b"/" + entry.name
            if entry.is_dir(follow_symlinks=False):
                os.mkdir(place, 0o700)
                link_tree(entry.path, place)
            else:
                os.link(entry.path, place, follow_symlinks=False)
    copy_owner(source, target)
    for name in os.listxattr(source):
        os.setxattr(target, name, os.getxattr(source, name))
    found = os.stat(source)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def copy_owner(source: bytes, target: bytes) -> None:
    """Give a folder the owner and the mode of another. Raises OSError."""
    found = os.stat(source)
    os.chown(target, found.st_uid, found.st_gid)
    os.chmod(target, found.st_mode & 0o7777)
