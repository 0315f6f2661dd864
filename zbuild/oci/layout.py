"""Image layouts: a folder of blobs named by their digests, and an index of manifests (image-spec, image-layout.md)."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.oci.media import OCI_INDEX, OCI_MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

Json: TypeAlias = "dict[str, Any]"
Descriptor: TypeAlias = "dict[str, Any]"  # mediaType, digest, size, and maybe annotations

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
        found: str = json.loads(self.manifest)["config"]["digest"]
        return found

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return sha256_digest(self.manifest)

    @property
    def media_type(self) -> str:
        """What kind of manifest it is: OCI's or docker's."""
        found: str = json.loads(self.manifest).get("mediaType") or OCI_MANIFEST
        return found

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The descriptors of the layers, lowest first."""
        return tuple(json.loads(self.manifest)["layers"])

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The digests of the layers as plain tars."""
        return tuple((json.loads(self.config).get("rootfs") or {}).get("diff_ids") or ())


class Layout:
    """A layout in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path) -> Layout:
        """Make an empty layout, or open the one that is there. Raises OSError."""
        layout = cls(folder)
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        if not (folder / "oci-layout").exists():
            (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
            layout._write_index([])
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
        self.blob(digest).write_bytes(data)
        return digest

    def add(self, image: ImageBlobs) -> None:
        """Add an image's manifest and config, and list it in the index; its layers are put beside by the caller."""
        self.put(image.config)
        digest = self.put(image.manifest)
        entry = {"mediaType": image.media_type, "digest": digest, "size": len(image.manifest)}
        self._write_index([*(old for old in self.manifests() if old["digest"] != digest), entry])

    def manifests(self) -> list[Descriptor]:
        """Return the descriptors of the index. Raises LayoutError."""
        try:
            found: list[Descriptor] = json.loads((self.folder / "index.json").read_bytes())["manifests"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LayoutError(f"{self.folder} is no image layout: {error}") from error
        return found

    def image(self, digest: str) -> ImageBlobs:
        """Return an image by its manifest's digest. Raises LayoutError."""
        manifest = self.read(digest)
        try:
            config = json.loads(manifest)["config"]["digest"]
        except (ValueError, KeyError, TypeError) as error:
            raise LayoutError(f"{digest} is no image manifest") from error
        return ImageBlobs(manifest, self.read(config))

    def _write_index(self, manifests: list[Descriptor]) -> None:
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
        (self.folder / "index.json").write_text(json.dumps(index))


def unpacked_image(layout: Layout, digest: str) -> ImageBlobs:
    """Return an image whose layers are plain tars. Raises LayoutError, also where manifest and config disagree."""
    image = layout.image(digest)
    if tuple(layer["digest"] for layer in image.layers) != image.diff_ids:
        raise LayoutError(f"the layers of {digest} are not those that its config tells of")
    return image


def with_layers(image: ImageBlobs, layers: list[Descriptor]) -> ImageBlobs:
    """Return an image with other descriptors of its layers: the same tars, packed in another way."""
    manifest = {**json.loads(image.manifest), "layers": layers}
    return ImageBlobs(json.dumps(manifest).encode(), image.config)
