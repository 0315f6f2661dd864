"""The folders of cache mounts as `zbuild cache` sees them: what they are for, what they take, when they were used.

<hash>         the cache; <hash>-<n> is another of the same id, for a RUN that wants one to itself
<hash>.id      its id, for people; changed when the cache was last used
<hash>.lock    what RUNs lock; <hash>.new is a cache in the making, with a lock of its own
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.disk import tree_size

if TYPE_CHECKING:
    from pathlib import Path

_ID = ".id"


@dataclass(frozen=True, slots=True)
class CacheFolder:
    """A cache: its `id` as build files have it (its folder's name where that is not known), bytes, unix time."""

    path: Path
    id: str
    size: int
    used: float


def note_use(folder: Path, cache_id: str) -> None:
    """Note what a cache's folder is for, and that it is used now. Raises OSError."""
    folder.with_name(folder.name + _ID).write_text(cache_id, encoding="utf-8", errors="backslashreplace")


def list_caches(mounts: Path) -> tuple[CacheFolder, ...]:
    """Return the caches in a folder, by their ids. Raises OSError."""
    found = [_cache(path) for path in mounts.iterdir() if path.is_dir() and not path.is_symlink()]
    return tuple(sorted(found, key=lambda cache: (cache.id, cache.path)))


def _cache(path: Path) -> CacheFolder:
    note = path.with_name(path.name + _ID)
    try:
        cache_id, used = note.read_text(encoding="utf-8", errors="replace"), note.stat().st_mtime
    except FileNotFoundError:  # made before notes were kept, or in the making
        cache_id, used = path.name, path.stat().st_mtime
    return CacheFolder(path, cache_id, tree_size(path), used)


def remove_cache(cache: CacheFolder) -> int:
    """Remove a cache with its files, and return how many bytes that freed; nobody may be using it."""
    shutil.rmtree(cache.path, ignore_errors=True)
    if os.path.lexists(cache.path):  # files of other users
        return cache.size - tree_size(cache.path)
    for suffix in (_ID, ".lock", ".new.lock"):
        cache.path.with_name(cache.path.name + suffix).unlink(missing_ok=True)
    return cache.size
