"""Digests of what layers hold, times aside: equal digests, equal files for those who start from them.

A layer is a folder as the kernel's overlay keeps it: what was removed is a character device 0:0, and a folder that
hides what lies below it bears the attribute `overlay.opaque`. Several layers count as the one they add up to, so that
it does not matter where a stage was committed on its way.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import xxhash

from zbuild.base.digest import xxh
from zbuild.plan.fingerprint import hash_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_REMOVED = b"removed"
_HIDES = b"hides what lies below it"
_FOLDER = b"4"  # the first digit of a folder's mode, and of nothing else's
_OVERLAY = ("trusted.overlay.", "user.overlay.")
# What says something of a file's content; others are the kernel's notes of where it was copied from.
_MEANT = frozenset({"redirect", "metacopy"})


def digest_layers(layers: Iterable[bytes]) -> str:
    """Digest layers, the lowest first, as 32 hex digits. Raises OSError.

    Paths, types, permission bits, owners, contents, links (hard ones as well), devices and extended attributes count.
    """
    found: dict[bytes, bytes] = {}
    for layer in layers:
        found = _laid_over(found, *_Layer(layer).read())
    listing = b"\0".join(part for path in sorted(found) for part in (path, found[path]))
    return xxhash.xxh3_128_hexdigest(listing)


def _laid_over(below: dict[bytes, bytes], entries: dict[bytes, bytes], hiding: set[bytes]) -> dict[bytes, bytes]:
    """Return what two layers add up to; a folder in the place of anything else hides what that has hidden."""
    if not below:
        return entries
    folders = (path for path, entry in entries.items() if entry.startswith(_FOLDER))
    replaced = [path for path in folders if not below.get(path, _FOLDER).startswith(_FOLDER)]
    left = {path: entry for path, entry in below.items() if not _is_below(path, hiding)}
    return left | entries | {path + b"/": _HIDES for path in replaced}


def _is_below(path: bytes, folders: set[bytes]) -> bool:
    return any(folder in folders for folder in _parents(path))


def _parents(path: bytes) -> Iterator[bytes]:
    while path := path.rpartition(b"/")[0]:
        yield path


class _Layer:
    """One layer's folder being read."""

    def __init__(self, root: bytes) -> None:
        self._prefix = len(root) + 1
        self._root = root
        self._entries: dict[bytes, bytes] = {}
        self._hiding: set[bytes] = set()
        self._links: dict[tuple[int, int], tuple[bytes, bytes]] = {}

    def read(self) -> tuple[dict[bytes, bytes], set[bytes]]:
        """Return what every path holds, and the paths of all that hides what lower layers have below them.

        A folder that hides has one more entry, its path with a slash.
        """
        waiting = [self._root]
        while waiting:
            with os.scandir(waiting.pop()) as items:
                # In order, for of several names of a file the first one counts as the file.
                waiting += [item.path for item in sorted(items, key=lambda item: item.name) if self._take(item)]
        return self._entries, self._hiding

    def _take(self, item: os.DirEntry[bytes]) -> bool:
        """Note one entry; return whether it is a folder."""
        info = item.stat(follow_symlinks=False)
        path = item.path[self._prefix :]
        is_folder = stat.S_ISDIR(info.st_mode)
        self._entries[path] = self._linked(item.path, info, path) if info.st_nlink > 1 else _described(item.path, info)
        if is_folder and _is_opaque(item.path):
            self._entries[path + b"/"] = _HIDES
        if not is_folder or path + b"/" in self._entries:
            self._hiding.add(path)
        return is_folder

    def _linked(self, file: bytes, info: os.stat_result, path: bytes) -> bytes:
        """Describe a file that may have several names: where it has, each tells the first one, too.

        Names outside of the layer, such as a tree's files have while an image is made of it, change nothing.
        """
        inode = (info.st_dev, info.st_ino)
        if stat.S_ISDIR(info.st_mode) or inode not in self._links:
            self._links[inode] = (path, _described(file, info))
            return self._links[inode][1]
        first, described = self._links[inode]
        if described == _REMOVED:
            return described
        self._entries[first] = linked = described + b" is " + first
        return linked


def _described(file: bytes, info: os.stat_result) -> bytes:
    kind = stat.S_IFMT(info.st_mode)
    content = b""
    if kind == stat.S_IFREG:
        content = hash_file(file).digest
    elif kind == stat.S_IFLNK:
        content = xxh(os.readlink(file)).encode()  # noqa: PTH115 - pathlib knows no bytes
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        if kind == stat.S_IFCHR and info.st_rdev == 0:
            return _REMOVED
        content = b"%d" % info.st_rdev
    xattrs = _xattrs(file)
    attributes = xxh(xattrs).encode() if xattrs else b""
    return b"%o %d:%d %s %s" % (info.st_mode, info.st_uid, info.st_gid, attributes, content)


def _xattrs(file: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return a file's extended attributes by name, without the kernel's notes on layers."""
    names = sorted(filter(_is_meant, _xattr_names(file)))
    return tuple((name, os.getxattr(file, name, follow_symlinks=False)) for name in names)


def _is_meant(name: str) -> bool:
    prefix = _overlay_prefix(name)
    return not prefix or name.removeprefix(prefix) in _MEANT


def _is_opaque(file: bytes) -> bool:
    return any(name == f"{prefix}opaque" for name in _xattr_names(file) if (prefix := _overlay_prefix(name)))


def _overlay_prefix(name: str) -> str:
    return next((prefix for prefix in _OVERLAY if name.startswith(prefix)), "")


def _xattr_names(file: bytes) -> list[str]:
    try:
        return os.listxattr(file, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise
