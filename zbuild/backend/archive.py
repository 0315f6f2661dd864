"""Unpacks archives into a root folder, member by member; none of them lands outside."""

from __future__ import annotations

import lzma
import os
import posixpath
import stat
import tarfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from zbuild.backend.rootfs import Attributes
from zbuild.base.errors import StageError
from zbuild.plan.fingerprint import is_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbuild.backend.rootfs import Rootfs
    from zbuild.base.span import Span

_ZSTD = b"\x28\xb5\x2f\xfd"  # the magic number of a frame (RFC 8878, 3.1.1)
_XATTR = "SCHILY.xattr."  # GNU tar's and libarchive's records, docker's too
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


@contextmanager
def open_archive(file: BinaryIO) -> Iterator[tarfile.TarFile | None]:
    """Open a tar, plain or packed with gzip, bzip2, xz or zstd, as its content says; None for anything else.

    An archive of nothing is no archive, as for BuildKit.
    """
    try:
        archive = _open(file)
        empty = archive.next() is None
    except (*_DAMAGED, OSError):
        yield None
        return
    with archive:
        yield None if empty else archive


def _open(file: BinaryIO) -> tarfile.TarFile:
    packed = file.read(len(_ZSTD)) == _ZSTD
    file.seek(0)
    if packed:
        stream = cast("BinaryIO", _ZstdReader(file))  # all that a tar read as a stream asks for is `read`
        return tarfile.open(fileobj=stream, mode="r|", errorlevel=1)
    return tarfile.open(fileobj=file, mode="r:*", errorlevel=1)


class _ZstdReader:
    """Reads what a zstd stream holds; a damaged one is a damaged archive."""

    def __init__(self, file: BinaryIO) -> None:
        import zstandard  # noqa: PLC0415 - few archives are packed so

        self._error = zstandard.ZstdError
        self._stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)

    def read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except self._error as error:
            raise tarfile.ReadError(str(error)) from error


def unpack(root: Rootfs, archive: tarfile.TarFile, folder: bytes, span: Span, check: Callable[[], None]) -> None:
    """Unpack all members below a folder of the root, as the archive has them: --chown is not for them (docker's rule).

    Raises StageError for a damaged archive and for a member that would leave the folder.
    """
    unpacker = _Unpacker(root, folder, span)
    try:
        for member in archive:
            check()
            unpacker.put(archive, member)
    except _DAMAGED as error:
        raise StageError("bad-archive", f"the archive is damaged: {error}", span=span) from error
    unpacker.finish()


class _Unpacker:
    def __init__(self, root: Rootfs, folder: bytes, span: Span) -> None:
        self._root = root
        self._folder = folder
        self._span = span
        self._times: list[tuple[bytes, int]] = []

    def put(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Land one member."""
        path = self._path(member.name)
        attributes = _attributes(member)
        if path == self._folder:
            return
        self._root.make_folder(path.rpartition(b"/")[0])
        if member.isdir():
            self._root.put_folder(path, attributes)
            self._times.append((path, attributes.mtime_ns or 0))
        elif member.issym():
            self._root.put_link(path, os.fsencode(member.linkname), attributes)
        elif member.islnk():
            self._root.put_hard_link(path, self._path(member.linkname))
        elif member.isreg():
            content = archive.extractfile(member)
            if content:
                self._root.put_file(path, content, attributes)  # type: ignore[arg-type]  # it reads bytes like one
        else:
            self._put_node(path, member, attributes)

    def finish(self) -> None:
        """Set the times of the folders, which their content had changed."""
        for path, mtime_ns in reversed(self._times):
            self._root.set_times(path, mtime_ns)

    def _put_node(self, path: bytes, member: tarfile.TarInfo, attributes: Attributes) -> None:
        kinds = {tarfile.FIFOTYPE: stat.S_IFIFO, tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK}
        if member.type in kinds:
            rdev = os.makedev(member.devmajor, member.devminor) if member.isdev() and not member.isfifo() else 0
            self._root.put_node(path, kinds[member.type], rdev, attributes)

    def _path(self, name: str) -> bytes:
        normal = posixpath.normpath(name.lstrip("/"))
        if normal.split("/")[0] == "..":
            raise StageError(
                "archive-escapes", f"the archive's member '{name}' would leave its folder", span=self._span
            )
        return self._folder if normal == "." else self._folder + b"/" + os.fsencode(normal)


def _attributes(member: tarfile.TarInfo) -> Attributes:
    return Attributes(member.mode & 0o7777, member.uid, member.gid, int(member.mtime * 10**9), _xattrs(member))


def _xattrs(member: tarfile.TarInfo) -> tuple[tuple[str, bytes], ...]:
    """Return the extended attributes that a PAX header gives a member, of the kinds that copies keep."""
    named = ((key.removeprefix(_XATTR), value) for key, value in member.pax_headers.items() if key.startswith(_XATTR))
    return tuple((name, os.fsencode(value)) for name, value in sorted(named) if is_kept(name))
