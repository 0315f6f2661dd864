"""A folder treated as the root of a file system: no path that is given to it leads out of it (see `path_walk.py`).

Paths are bytes, with or without a leading slash.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from zbuild.backend.path_walk import PathWalk
from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SMALL = 1 << 16
_CHUNK = 1 << 24


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a file is given: permission bits, owner, and the time it says it was changed (None: now)."""

    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime_ns: int | None = None
    xattrs: tuple[tuple[str, bytes], ...] = ()


class Rootfs:
    """A root folder, open until closed. Methods raise OSError as the system calls do; one thread at a time."""

    def __init__(self, path: bytes) -> None:
        self.path = path
        self._stack = ExitStack()
        self._root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._stack.callback(os.close, self._root)
        self._parent: tuple[bytes, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget_parent()
        self._stack.close()

    @contextmanager
    def folder(self, path: bytes, made: Callable[[bytes], None] | None = None) -> Iterator[int]:
        """Open a folder. With `made`, folders that are missing are made (root's, 0755), and it is told their paths."""
        walk = PathWalk(self._root, made)
        try:
            yield walk.to_folder(path)
        finally:
            walk.close()

    def real(self, path: bytes) -> bytes:
        """Return where a path leads on this machine, every link resolved. Raises FileNotFoundError and OSError."""
        walk = PathWalk(self._root, None)
        try:
            name = walk.to_last(path)
            return b"/".join(part for part in (self.path.rstrip(b"/"), *walk.names, name) if part)
        finally:
            walk.close()

    def make_folder(self, path: bytes) -> list[bytes]:
        """Make a folder and its parents, owned by root, mode 0755; return those made, the highest first."""
        made: list[bytes] = []
        with self.folder(path, made.append):
            return made

    def is_folder(self, path: bytes) -> bool:
        """Tell whether a path leads to a folder."""
        try:
            with self.folder(path):
                return True
        except OSError:
            return False

    def lstat(self, path: bytes) -> os.stat_result | None:
        """Return what stands at a path, itself not followed; None for nothing."""
        try:
            folder, name = self._at(path)
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read(self, path: bytes, limit: int) -> bytes | None:
        """Return the first `limit` bytes of a regular file, links followed; None when there is none."""
        walk = PathWalk(self._root, None)
        try:
            name = walk.to_last(path)
            descriptor = os.open(name, _READ, dir_fd=walk.top)
        except OSError:
            return None
        finally:
            walk.close()
        try:
            return os.read(descriptor, limit) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
        finally:
            os.close(descriptor)

    def put_folder(self, path: bytes, attributes: Attributes) -> None:
        """Make a folder, or give the attributes to the one that is there; through a link, to none."""
        folder, name = self._at(path)
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
        except FileExistsError:
            if not self.is_folder(path):
                raise
            if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                return
        _dress(name, folder, attributes)
        for key, value in attributes.xattrs:
            place = f"/proc/self/fd/{folder}/".encode() + name  # no call takes the descriptor of a parent
            os.setxattr(place, key, value, follow_symlinks=False)

    def put_file(self, path: bytes, source: BinaryIO, attributes: Attributes) -> None:
        """Write a file, in place of whatever but a folder is there; one that cannot be written whole is taken away."""
        with open(self._new_file(path), "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor
            try:
                _pour(source, file)
                _dress_file(file.fileno(), attributes)
            except BaseException:
                # On a full disk buildah needs the room to clean up after us.
                folder, name = self._at(path)
                os.unlink(name, dir_fd=folder)
                raise

    def put_link(self, path: bytes, target: bytes, attributes: Attributes) -> None:
        """Make a symbolic link, in place of whatever but a folder is there."""
        folder, name = self._make_way(path)
        os.symlink(target, name, dir_fd=folder)
        _dress(name, folder, attributes, link=True)

    def put_node(self, path: bytes, kind: int, rdev: int, attributes: Attributes) -> None:
        """Make a FIFO or a device; `kind` is one of stat's S_IF constants."""
        folder, name = self._make_way(path)
        os.mknod(name, kind | 0o600, rdev, dir_fd=folder)
        _dress(name, folder, attributes)

    def put_hard_link(self, path: bytes, existing: bytes) -> None:
        """Give a file one more name, in place of whatever but a folder is there."""
        walk = PathWalk(self._root, None)
        try:
            parent, _, source = existing.rpartition(b"/")
            source_folder = walk.to_folder(parent)
            folder, name = self._make_way(path)
            os.link(source, name, src_dir_fd=source_folder, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            walk.close()

    def set_times(self, path: bytes, mtime_ns: int) -> None:
        """Set when a folder says it was changed, once its content is there."""
        folder, name = self._at(path)
        os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=folder, follow_symlinks=False)

    def remove_empty(self, path: bytes) -> None:
        """Remove an empty folder or an empty file; one that is not empty stays."""
        with suppress(OSError):
            folder, name = self._at(path)
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                os.rmdir(name, dir_fd=folder)
            elif stat.S_ISREG(info.st_mode) and not info.st_size:
                os.unlink(name, dir_fd=folder)

    def _new_file(self, path: bytes) -> int:
        folder, name = self._at(path)
        try:
            return os.open(name, _NEW_FILE, 0o600, dir_fd=folder)
        except FileExistsError:
            os.unlink(name, dir_fd=folder)
            return os.open(name, _NEW_FILE, 0o600, dir_fd=folder)

    def _make_way(self, path: bytes) -> tuple[int, bytes]:
        folder, name = self._at(path)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        return folder, name

    def _at(self, path: bytes) -> tuple[int, bytes]:
        """Return the folder of a path and the last name; the folder stays open, as its neighbours come next."""
        parent, _, name = path.rstrip(b"/").rpartition(b"/")
        if name in (b"", b".", b".."):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if self._parent is None or self._parent[0] != parent:
            with self.folder(parent) as found:
                descriptor = os.dup(found)
            self._forget_parent()
            self._parent = (parent, descriptor)
        return self._parent[1], name

    def _forget_parent(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None


def _dress(name: bytes, folder: int, attributes: Attributes, *, link: bool = False) -> None:
    os.chown(name, attributes.uid, attributes.gid, dir_fd=folder, follow_symlinks=False)
    if not link:
        os.chmod(name, attributes.mode, dir_fd=folder)
    if attributes.mtime_ns is not None:
        os.utime(name, ns=(attributes.mtime_ns, attributes.mtime_ns), dir_fd=folder, follow_symlinks=False)


def _dress_file(descriptor: int, attributes: Attributes) -> None:
    os.fchown(descriptor, attributes.uid, attributes.gid)
    os.fchmod(descriptor, attributes.mode)
    for key, value in attributes.xattrs:  # after the owner: a change of it takes capabilities away
        os.setxattr(descriptor, key, value)
    if attributes.mtime_ns is not None:
        os.utime(descriptor, ns=(attributes.mtime_ns, attributes.mtime_ns))


def _pour(source: BinaryIO, target: BinaryIO) -> None:
    """Copy all content: what is small in one go, the rest inside the kernel where the source is a file of its own."""
    data = source.read(_SMALL)
    _write(target, data)
    if len(data) < _SMALL:
        return
    try:
        descriptor = source.fileno()
    except (AttributeError, OSError):
        while data := source.read(_CHUNK):
            _write(target, data)
        return
    while os.sendfile(target.fileno(), descriptor, None, _CHUNK):
        pass


def _write(target: BinaryIO, data: bytes) -> None:
    """Write all of it: on a disk that is nearly full a write may take only a part, and the next one fails."""
    written = 0
    while written < len(data):
        written += target.write(data[written:])
