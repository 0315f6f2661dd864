"""Follows paths inside a root folder as the kernel would if that folder were `/` (path_resolution(7)).

Every component is opened by itself, through the descriptor of the folder before it and never through a link: an
absolute link starts at the root, `..` stops there, and the 41st link is one too many.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINKS = 40
_FOLDER = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class PathWalk:
    """A walk from the root: the folders on the way stay open, so that `..` needs no look-up."""

    def __init__(self, root: int, made: Callable[[bytes], None] | None) -> None:
        self.names: list[bytes] = []
        self._made = made
        self._open = [os.dup(root)]
        self._links = 0

    @property
    def top(self) -> int:
        """The folder that the walk has come to."""
        return self._open[-1]

    def to_folder(self, path: bytes) -> int:
        """Go to a folder and return its descriptor."""
        waiting = split_path(path)
        while waiting:
            part = waiting.pop()
            if part == b"..":
                self._up()
            else:
                waiting += self._down(part)
        return self.top

    def to_last(self, path: bytes) -> bytes:
        """Go to the folder of what the path leads to, and return its name there; b"" for the root itself."""
        waiting = split_path(path)
        while waiting:
            part = waiting.pop()
            if part == b"..":
                self._up()
                continue
            info = os.stat(part, dir_fd=self.top, follow_symlinks=False)
            if stat.S_ISLNK(info.st_mode):
                waiting += self._follow(part)
            elif waiting:
                waiting += self._down(part)
            else:
                return part
        return b""

    def close(self) -> None:
        """Close all folders."""
        while self._open:
            os.close(self._open.pop())

    def _up(self) -> None:
        if self.names:
            self.names.pop()
            os.close(self._open.pop())

    def _down(self, part: bytes) -> list[bytes]:
        """Enter a folder, or return the parts that a link of that name leads to, the last one first."""
        try:
            descriptor = os.open(part, _FOLDER, dir_fd=self.top)
        except FileNotFoundError:
            if self._made is None:
                raise
            os.mkdir(part, 0o755, dir_fd=self.top)
            os.chmod(part, 0o755, dir_fd=self.top)  # noqa: S103 - as docker makes folders, whatever the umask
            self._made(b"/".join((*self.names, part)))
            return [part]
        except NotADirectoryError:
            return self._follow(part)
        self._open.append(descriptor)
        self.names.append(part)
        return []

    def _follow(self, part: bytes) -> list[bytes]:
        try:
            target = os.readlink(part, dir_fd=self.top)
        except OSError as error:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), part) from error
        self._links += 1
        if self._links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part)
        if target.startswith(b"/"):
            while self.names:
                self._up()
        return split_path(target)


def split_path(path: bytes) -> list[bytes]:
    """Return a path's names, the last one first, so that the next one can be popped."""
    return [part for part in reversed(path.split(b"/")) if part not in (b"", b".")]
