"""Image layouts: a folder of blobs named by their digests, and an index of manifests (image-spec, image-layout.md)."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from _thread import get_ident
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.base.files import TEMPORARY, sync_folder, write_whole
from zbuild.oci.documents import decode_json
from zbuild.oci.media import OCI_INDEX, OCI_MANIFEST, descriptor_from_json
from zbuild.oci.media import Descriptor as Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Json: TypeAlias = "dict[str, Any]"
Descriptor: TypeAlias = "dict[str, Any]"  # mediaType, digest, size, and maybe annotations

_TAG = "org.opencontainers.image.ref.name"
_MODE = 0o666  # for whoever the umask lets read
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class LayoutError(ValueError):
    """A layout that is not as the specification has it, or lacks a blob that is asked for."""


def sha256_digest(data: bytes) -> str:
    """Return what blobs are named by: `sha256:` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_digest(text: str) -> bool:
    """Tell whether a text is a sha256 digest: what is none must become no path."""
    return bool(_DIGEST.fullmatch(text))


@dataclass(frozen=True, slots=True)
class ImageBlobs:
    """An image's manifest and config, byte for byte as they were found."""

    manifest: bytes
    config: bytes

    @property
    def image_id(self) -> str:
        """The config's digest, without its algorithm."""
        return hashlib.sha256(self.config).hexdigest()

    @property
    def config_digest(self) -> str:
        """The config's digest, as the manifest tells it."""
        found: str = decode_json(self.manifest)["config"]["digest"]
        return found

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return sha256_digest(self.manifest)

    @property
    def media_type(self) -> str:
        """What kind of manifest it is: OCI's or docker's."""
        found: str = decode_json(self.manifest).get("mediaType") or OCI_MANIFEST
        return found

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The descriptors of the layers, lowest first."""
        return tuple(decode_json(self.manifest)["layers"])

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The digests of the layers as plain tars."""
        return tuple((decode_json(self.config).get("rootfs") or {}).get("diff_ids") or ())


class Layout:
    """A layout in a folder. What is in it is whole and durable, or not there; several may write to it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path) -> Layout:
        """Make an empty layout, or open the one that is there. Raises OSError."""
        layout = cls(folder)
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        with layout._locked():
            if not (folder / "oci-layout").exists():
                layout._write_index([])
                write_whole(folder / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}', _MODE)
        return layout

    def blob(self, digest: str) -> Path:
        """Return where a blob is, or would be. Raises LayoutError for what is no digest."""
        if not is_digest(digest):
            raise LayoutError(f"'{digest}' is no sha256 digest")
        return self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def read(self, digest: str) -> bytes:
        """Return a blob that is to be held in memory. Raises LayoutError when it is missing, or is another."""
        try:
            data = self.blob(digest).read_bytes()
        except OSError as error:
            raise LayoutError(f"there is no blob {digest}: {error.strerror}") from error
        if sha256_digest(data) != digest:
            raise LayoutError(f"the blob {digest} holds something else")
        return data

    def put(self, data: bytes) -> str:
        """Add a blob and return its digest. Raises OSError."""
        digest = sha256_digest(data)
        write_whole(self.blob(digest), data, _MODE)
        return digest

    def put_by(self, write: Callable[[IO[bytes]], str]) -> Path:
        """Add a blob that `write` writes to a file, whatever its size, and whose digest it returns. Raises OSError."""
        folder = self.folder / "blobs" / "sha256"
        part = folder / f".{os.getpid()}-{get_ident()}{TEMPORARY}"
        try:
            with part.open("xb") as file:
                place = self.blob(write(file))
                file.flush()
                os.fsync(file.fileno())
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(str(folder))
        return place

    def add(self, image: ImageBlobs) -> None:
        """Add an image's manifest and config, and list it in the index; its layers are put beside by the caller."""
        self.put(image.config)
        digest = self.put(image.manifest)
        self.enter(Entry(image.media_type, digest, len(image.manifest)))

    def enter(self, entry: Entry, tag: str = "") -> None:
        """Put a manifest into the index, under a tag if one is given, which it takes from whatever had it."""
        told = entry.to_json() | ({"annotations": {**dict(entry.annotations), _TAG: tag}} if tag else {})
        with self._locked():
            others = [old for old in self.manifests() if not tag or _tag_of(old) != tag]
            if tag:
                others = [old for old in others if old["digest"] != entry.digest or _tag_of(old)]
            elif any(old["digest"] == entry.digest for old in others):
                return
            self._write_index([*others, told])

    def tagged(self, tag: str) -> Entry | None:
        """Return the manifest that has a tag. Raises LayoutError."""
        try:
            return next((descriptor_from_json(one) for one in self.manifests() if _tag_of(one) == tag), None)
        except ValueError as error:
            raise LayoutError(f"{self.folder} is no image layout: {error}") from error

    def manifests(self) -> list[Descriptor]:
        """Return the descriptors of the index. Raises LayoutError."""
        try:
            found: list[Descriptor] = decode_json((self.folder / "index.json").read_bytes())["manifests"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LayoutError(f"{self.folder} is no image layout: {error}") from error
        return found

    def image(self, digest: str) -> ImageBlobs:
        """Return an image by its manifest's digest. Raises LayoutError."""
        manifest = self.read(digest)
        try:
            config = decode_json(manifest)["config"]["digest"]
        except (ValueError, KeyError, TypeError) as error:
            raise LayoutError(f"{digest} is no image manifest") from error
        return ImageBlobs(manifest, self.read(config))

    def _write_index(self, manifests: list[Descriptor]) -> None:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
        write_whole(self.folder / "index.json", json.dumps(index).encode(), _MODE)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers of the index away; the lock is the folder's own, and ends with the process."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _tag_of(entry: Descriptor) -> str:
    return str((entry.get("annotations") or {}).get(_TAG, ""))


def unpacked_image(layout: Layout, digest: str) -> ImageBlobs:
    """Return an image whose layers are plain tars. Raises LayoutError, also where manifest and config disagree."""
    image = layout.image(digest)
    if tuple(layer["digest"] for layer in image.layers) != image.diff_ids:
        raise LayoutError(f"the layers of {digest} are not those that its config tells of")
    return image


def with_layers(image: ImageBlobs, layers: list[Descriptor]) -> ImageBlobs:
    """Return an image with other descriptors of its layers: the same tars, packed in another way."""
    manifest = {**decode_json(image.manifest), "layers": layers}
    return ImageBlobs(json.dumps(manifest).encode(), image.config)
