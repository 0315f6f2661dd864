"""Layers: tars that are the same whenever the files are, hashed and packed in one pass, whatever their size.

The tar is in PAX's form, in the order of names, without names of users, with whole seconds; nothing in it tells of the
machine it was made on.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import zlib
from typing import IO, TYPE_CHECKING, Literal, Protocol, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.oci.media import OCI_LAYER, Descriptor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Compression: TypeAlias = Literal["none", "gzip", "zstd"]

_SUFFIXES: dict[Compression, str] = {"none": "", "gzip": "+gzip", "zstd": "+zstd"}
_GZIP_WINDOW = 31  # zlib's largest window, with gzip's header, whose time is 0
_LEVELS = {"gzip": 6, "zstd": 3}
_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KEPT = ("security.capability", "user.")  # extended attributes that mean something on another machine
_REMOVED = b".wh."
_KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A finished layer: what names it packed, the digest of its tar, and the tar's size in bytes."""

    descriptor: Descriptor
    diff_id: str
    size: int


class _Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class LayerWriter:
    """Takes a tar by `write`, and writes it packed to a file; both are hashed on the way. `finish` ends it."""

    def __init__(self, target: IO[bytes], compression: Compression = "gzip") -> None:
        self._target = target
        self._compression = compression
        self._packer = _packer(compression)
        self._tar, self._packed = hashlib.sha256(), hashlib.sha256()
        self._tar_size = self._packed_size = 0

    def write(self, data: bytes) -> int:
        """Take more of the tar. Raises OSError."""
        self._tar.update(data)
        self._tar_size += len(data)
        self._put(self._packer.compress(data) if self._packer else data)
        return len(data)

    def finish(self) -> Layer:
        """Write what is left, and return what was made. Raises OSError."""
        if self._packer:
            self._put(self._packer.flush())
        media_type = OCI_LAYER + _SUFFIXES[self._compression]
        digest = f"sha256:{self._packed.hexdigest()}"
        return Layer(
            Descriptor(media_type, digest, self._packed_size), f"sha256:{self._tar.hexdigest()}", self._tar_size
        )

    def _put(self, data: bytes) -> None:
        self._packed.update(data)
        self._packed_size += len(data)
        self._target.write(data)


def _packer(compression: Compression) -> _Packer | None:
    if compression == "gzip":
        return zlib.compressobj(_LEVELS["gzip"], wbits=_GZIP_WINDOW)
    if compression == "zstd":
        import zstandard  # noqa: PLC0415 - few layers are packed with it

        return zstandard.ZstdCompressor(level=_LEVELS["zstd"]).compressobj()
    return None


def pack_folder(
    root: bytes,
    target: IO[bytes],
    compression: Compression = "gzip",
    *,
    removed: Collection[str] = (),
    epoch: int | None = None,
) -> Layer:
    """Write a folder's content as a layer, packed, to a file; `removed` are paths of lower layers that it hides.

    No file says that it is younger than `epoch` (unix time). Owners are numbers as they are on the disk. Links stay
    links, several names of a file stay one file, sockets are left out. Raises OSError, also for what changes meanwhile.
    """
    writer = LayerWriter(target, compression)
    whiteouts = {_whiteout(path) for path in removed}
    with tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_CHUNK) as tar:  # type: ignore[call-overload] # all it asks for is `write`
        files: dict[tuple[int, int], str] = {}
        for path in sorted({*_paths(root), *whiteouts}):
            if path in whiteouts:
                tar.addfile(tarfile.TarInfo(os.fsdecode(path)))
            else:
                _add(tar, root, path, epoch, files)
    return writer.finish()


def _whiteout(path: str) -> bytes:
    """Return the name of what says that a path is no longer there (image spec, layer.md, "Whiteouts")."""
    folder, slash, name = os.fsencode(path).strip(b"/").rpartition(b"/")
    return folder + slash + _REMOVED + name


def _paths(root: bytes) -> Iterator[bytes]:
    """Yield what lies in a folder, relative to it. Raises OSError for what cannot be listed."""

    def refuse(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(root, onerror=refuse):
        yield from (os.path.relpath(os.path.join(folder, name), root) for name in (*folders, *files))  # noqa: PTH118 - bytes


def _add(tar: tarfile.TarFile, root: bytes, path: bytes, epoch: int | None, files: dict[tuple[int, int], str]) -> None:
    """Add what lies under a path; `files` has the files of several names that are there already."""
    where = os.path.join(root, path)  # noqa: PTH118 - bytes
    info = os.lstat(where)
    kind = _KINDS.get(stat.S_IFMT(info.st_mode))
    if kind is None:  # a socket
        return
    member = tarfile.TarInfo(os.fsdecode(path))
    member.type = kind
    member.mode, member.uid, member.gid = stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid
    changed = info.st_mtime_ns // 10**9
    member.mtime = changed if epoch is None else min(changed, epoch)
    if kind == tarfile.SYMTYPE:
        member.linkname = os.fsdecode(os.readlink(where))  # noqa: PTH115 - bytes
    elif kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        member.devmajor, member.devminor = os.major(info.st_rdev), os.minor(info.st_rdev)
    elif (
        kind == tarfile.REGTYPE and (first := files.setdefault((info.st_dev, info.st_ino), member.name)) != member.name
    ):
        member.type, member.linkname = tarfile.LNKTYPE, first
    if member.isreg():
        _add_file(tar, member, where)
    else:
        member.pax_headers = _attributes(where) if kind == tarfile.DIRTYPE else {}
        tar.addfile(member)


def _add_file(tar: tarfile.TarFile, member: tarfile.TarInfo, where: bytes) -> None:
    handle = os.open(where, _READ)
    with os.fdopen(handle, "rb") as file:
        member.size = os.fstat(handle).st_size
        member.pax_headers = _attributes(handle)
        tar.addfile(member, file)


def _attributes(file: int | bytes) -> dict[str, str]:
    """Return the extended attributes of a file or folder as a tar tells them."""
    names = sorted(name for name in os.listxattr(file) if name.startswith(_KEPT))
    return {f"SCHILY.xattr.{name}": os.fsdecode(os.getxattr(file, name)) for name in names}
