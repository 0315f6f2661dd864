"""Whether an image of the store is whole: all its layers, put together again, are what its digests say.

What a layer's tar tells of must be in the layer's folder as it tells it, and nothing else may be there: what is mounted
is the folder, and the digest speaks of the tar.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import tempfile
from typing import TYPE_CHECKING, TypeAlias

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.layer_tar import NoTarError, keeps_tar, layer_folder, tar_of
from zbuild.backend.buildah.store import layers_of
from zbuild.base.errors import BackendError, ImageGoneError
from zbuild.oci.layout import ImageBlobs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.store import Store, StoredLayer

Members: TypeAlias = "dict[bytes, tarfile.TarInfo]"

_CHUNK = 1 << 20
_MOST = 3  # paths of a layer that are told; the others are counted
_REMOVED, _OPAQUE = b".wh.", b".wh..wh."
_KINDS = {
    tarfile.REGTYPE: stat.S_IFREG,
    tarfile.AREGTYPE: stat.S_IFREG,
    tarfile.GNUTYPE_SPARSE: stat.S_IFREG,
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}


def check(engine: Engine, image_id: str) -> tuple[str, ...]:
    """Return what is wrong with an image, in words; nothing when it is whole. Raises ImageGoneError, BackendError."""
    store = engine.store
    stored = store.image(image_id)
    try:
        image = ImageBlobs(*store.image_bytes(image_id))
        diff_ids = image.diff_ids
    except (ImageGoneError, ValueError, KeyError) as error:
        return (f"its manifest or configuration cannot be read: {error}",)
    found = list(_blob_problems(image, image_id, stored.digest))
    layers = list(layers_of(stored, store.layers()))[::-1]
    if len(layers) != len(diff_ids):
        return (*found, f"it has {len(layers)} layers in the store, and {len(diff_ids)} in its configuration")
    if not all(keeps_tar(store, layer) for layer in layers):
        return (*found, *_told_by_buildah(engine, image_id))
    for number, (layer, diff_id) in enumerate(zip(layers, diff_ids, strict=True), 1):
        engine.runner.check()
        found += [f"layer {number} ({diff_id[:19]}): {problem}" for problem in _layer_problems(store, layer, diff_id)]
    return tuple(found)


def _blob_problems(image: ImageBlobs, image_id: str, digest: str) -> Iterator[str]:
    if image.image_id != image_id:
        yield f"its configuration comes to {image.image_id[:12]}"
    if digest and image.digest != digest:
        yield f"its manifest comes to {image.digest[:19]}, not {digest[:19]}"


def _told_by_buildah(engine: Engine, image_id: str) -> tuple[str, ...]:
    """Let buildah write the image out, where its layers lie in a way that only it can read: it checks digests, too."""
    with tempfile.TemporaryDirectory(prefix="zbuild-check-") as folder:
        try:
            engine.call(commands.export_folder(image_id, folder))
        except BackendError as error:
            return (f"it cannot be read: {error.message}",)
    return ()


def _layer_problems(store: Store, layer: StoredLayer, diff_id: str) -> list[str]:
    tar = _HashedTar(tar_of(store, layer))
    try:
        members = tar.members()
    except (NoTarError, tarfile.TarError) as error:
        return [str(error)]
    if tar.digest != diff_id:
        return [f"its files come to {tar.digest[:19]}"]
    differing = sorted(_differences(os.fsencode(layer_folder(store, layer)), members))
    told = [f"{os.fsdecode(path)} {what}" for path, what in differing[:_MOST]]
    more = len(differing) - len(told)
    return [*told, f"{more} more paths differ"] if more else told


class _HashedTar:
    """A tar that comes in chunks: `members` reads it to its end, and then `digest` is known."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._hasher = hashlib.sha256()
        self._left = b""

    @property
    def digest(self) -> str:
        return f"sha256:{self._hasher.hexdigest()}"

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; tarfile asks for them."""
        parts = [self._left]
        length = len(self._left)
        while length < size and (chunk := next(self._chunks, b"")):
            self._hasher.update(chunk)
            parts.append(chunk)
            length += len(chunk)
        data = b"".join(parts)
        self._left = data[size:]
        return data[:size]

    def members(self) -> Members:
        """Return what the tar holds, by paths without slashes at their ends; of several of a path the last."""
        found: Members = {}
        with tarfile.open(fileobj=self, mode="r|", bufsize=_CHUNK) as tar:  # type: ignore[call-overload] # all it asks for is `read`
            for member in tar:
                found[os.fsencode(os.path.normpath(member.name)).lstrip(b"/")] = member
        while self.read(_CHUNK):  # what stands behind the end of the archive counts, too
            pass
        return found


def _differences(folder: bytes, members: Members) -> Iterator[tuple[bytes, str]]:
    """Yield the paths of a layer's folder that are not as its tar tells."""
    for path, member in members.items():
        parent, _, name = path.rpartition(b"/")
        if name.startswith(_OPAQUE):
            continue
        removed = name.startswith(_REMOVED)
        where = os.path.join(folder, parent, name.removeprefix(_REMOVED) if removed else name)  # noqa: PTH118 - bytes
        try:
            info = os.lstat(where)
        except OSError:
            yield path, "is missing"
            continue
        if what := (_not_removed(info) if removed else _difference(where, info, member, folder)):
            yield path, what
    yield from ((path, "is in no layer") for path in _strangers(folder, members))


def _not_removed(info: os.stat_result) -> str:
    return "" if stat.S_ISCHR(info.st_mode) and not info.st_rdev else "is there again"


def _difference(where: bytes, info: os.stat_result, member: tarfile.TarInfo, folder: bytes) -> str:
    """Say in what a file differs from what a tar tells of it, "" for nothing. Its content has been hashed."""
    if member.islnk():
        target = os.path.join(folder, os.fsencode(member.linkname).lstrip(b"/"))  # noqa: PTH118 - bytes
        return "" if os.path.lexists(target) and os.path.samestat(os.lstat(target), info) else "is another file"
    if stat.S_IFMT(info.st_mode) != _KINDS.get(member.type, stat.S_IFMT(info.st_mode)):
        return "is of another kind"
    if member.isreg() and info.st_size != member.size:
        return "has another size"
    if member.issym() and os.readlink(where) != os.fsencode(member.linkname):  # noqa: PTH115 - bytes
        return "leads elsewhere"
    return _attributes_differ(info, member)


def _attributes_differ(info: os.stat_result, member: tarfile.TarInfo) -> str:
    if os.geteuid():  # stores of other users keep modes and owners in ways of their own
        return ""
    if not member.issym() and stat.S_IMODE(info.st_mode) != member.mode & 0o7777:
        return "has another mode"
    return "" if (info.st_uid, info.st_gid) == (member.uid, member.gid) else "has another owner"


def _strangers(folder: bytes, members: Members) -> Iterator[bytes]:
    """Yield what lies in a layer's folder and is not in its tar; a tar need not tell of the folders above a file."""
    above = {parent for path in members for parent in _parents(path)}
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.relpath(os.path.join(place, name), folder)  # noqa: PTH118 - bytes
            parent, _, last = path.rpartition(b"/")
            removed = b"/".join(part for part in (parent, _REMOVED + last) if part)
            if path not in members and path not in above and removed not in members:
                yield path


def _parents(path: bytes) -> Iterator[bytes]:
    while path := path.rpartition(b"/")[0]:
        yield path
