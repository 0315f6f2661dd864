"""What is installed in an image, read from its files: one walk over the tree, and a reader for each kind of record."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, TypeAlias

from zbuild.attest import languages, systems
from zbuild.attest.go_binary import go_modules
from zbuild.attest.package import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbuild.attest.package import Package

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST = 256 << 20  # bytes of a record that is read: dpkg's of a large desktop has 10 MB
_EXECUTABLE = 0o111
_NOT_INSTALLED = ("proc", "sys", "dev")  # what the kernel shows there belongs to no image

Reader: TypeAlias = "Callable[[bytes, systems.System], Iterator[Package]]"


def installed(root: bytes) -> tuple[Package, ...]:
    """Return the packages of an image whose files are under `root`, sorted, each once.

    No link is followed: what is read lies in the tree. Records that are damaged tell what can be read of them.
    Raises OSError where the tree itself cannot be read.
    """
    system = systems.System.read(root)
    found: set[Package] = set()
    for path, mode in _files(root):
        found.update(_of_file(root, path, mode, system))
    return tuple(sorted(found, key=lambda package: (package.kind, package.name, package.version, package.path)))


def _files(root: bytes) -> Iterator[tuple[str, int]]:
    """Yield (path relative to the root, mode) of all regular files, in the order of names."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(root, os.fsencode(folder))) as entries:  # noqa: PTH118 - paths are bytes
            names = sorted(entries, key=lambda entry: entry.name, reverse=True)
        for entry in names:
            path = f"{folder}/{os.fsdecode(entry.name)}".lstrip("/")
            if entry.is_dir(follow_symlinks=False) and path not in _NOT_INSTALLED:
                waiting.append(path)
            elif entry.is_file(follow_symlinks=False):
                yield path, entry.stat(follow_symlinks=False).st_mode


def _of_file(root: bytes, path: str, mode: int, system: systems.System) -> Iterator[Package]:
    reader = _reader(path)
    if reader is None and not mode & _EXECUTABLE:
        return
    handle = os.open(os.path.join(root, os.fsencode(path)), _READ)  # noqa: PTH118 - likewise
    with os.fdopen(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return
        try:
            found = go_modules(handle) if reader is None else tuple(reader(file.read(_LARGEST), system))
        except UnreadableError:
            return
    yield from (package.at(path) for package in found if package.name and package.version)


def _reader(path: str) -> Reader | None:
    """Return what reads a file of that path, None for one that tells of no package."""
    folder, _, name = path.rpartition("/")
    if path == "var/lib/dpkg/status" or (folder == "var/lib/dpkg/status.d" and not name.endswith(".md5sums")):
        return systems.dpkg
    if path in ("lib/apk/db/installed", "usr/lib/apk/db/installed"):
        return systems.apk
    if (name, folder.endswith(".dist-info")) == ("METADATA", True) or path.endswith(".egg-info/PKG-INFO"):
        return languages.python
    if name == "package.json" and languages.is_node_module(folder):
        return languages.node
    return None
