"""Reads containers/storage's own files (never writes them), which costs under a millisecond where buildah takes 12.

    <graphroot>/<driver>-images/images.json, <id>/manifest, <id>/=<base64 of the config's digest>
    <graphroot>/<driver>-layers/layers.json, <graphroot>/<driver>-containers/containers.json

The library replaces each of them whole, so that a reader sees the old or the new.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import BackendError, ImageGoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A line of images.json: id, manifest digest, names, top layer, when it was made (RFC 3339).

    `digest` is that of the manifest of the image's own platform; `digests` are all that it can be pulled by, those of
    indexes among them. `former_names` is what it was called before.
    """

    id: str
    digest: str
    digests: frozenset[str]
    names: tuple[str, ...]
    layer: str
    created: str
    former_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredContainer:
    """A line of containers.json: id, names, the layer that it writes to, and the image it was made of ("": none)."""

    id: str
    names: tuple[str, ...]
    layer: str
    image: str


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """A line of layers.json: id, the layer below it ("": none), the bytes of its content as a plain tar, its digest."""

    id: str
    parent: str
    size: int
    diff_id: str = ""


@dataclass(frozen=True, slots=True)
class Store:
    """A storage root and the driver whose folders are read."""

    graphroot: Path
    driver: str

    def images(self) -> Mapping[str, StoredImage]:
        """Return all images by id; the list is parsed again only when its file has changed."""
        return _images(self, self.stamp())

    def image(self, image_id: str) -> StoredImage:
        """Return one image. Raises ImageGoneError when it is not there."""
        try:
            return self.images()[image_id]
        except KeyError:
            raise ImageGoneError("image-gone", f"the image {image_id[:12]} is no longer in the store") from None

    def containers(self) -> list[StoredContainer]:
        """Return the working containers."""
        entries = self._read_list(self._file("containers"))
        return [_container(entry) for entry in entries]

    def layers(self) -> dict[str, StoredLayer]:
        """Return all layers by id."""
        entries = self._read_list(self._file("layers"))
        return {entry["id"]: _layer(entry) for entry in entries}

    def config(self, image_id: str) -> dict[str, Any]:
        """Return an image's config JSON as it is stored. Raises ImageGoneError."""
        manifest = self.manifest(image_id)
        config: dict[str, Any] = self._image_json(image_id, _encoded(manifest["config"]["digest"]))
        return config

    def manifest(self, image_id: str) -> dict[str, Any]:
        """Return an image's manifest JSON as it is stored. Raises ImageGoneError."""
        manifest: dict[str, Any] = self._image_json(image_id, "manifest")
        return manifest

    def manifest_bytes(self, image_id: str) -> bytes:
        """Return the manifest of an image, or a list, byte for byte. Raises ImageGoneError."""
        return self._image_data(image_id, "manifest")

    def image_bytes(self, image_id: str) -> tuple[bytes, bytes]:
        """Return an image's manifest and config, byte for byte. Raises ImageGoneError."""
        config = self.manifest(image_id)["config"]["digest"]
        return self.manifest_bytes(image_id), self._image_data(image_id, _encoded(config))

    def size(self, image: StoredImage) -> int:
        """Return the bytes of all layers of an image, unpacked as tars."""
        return sum(layer.size for layer in layers_of(image, self.layers()))

    def layer_folders(self, image_id: str) -> list[Path]:
        """Return what holds each layer of an image, the lowest first; nothing where this driver has no such folders.

        Raises ImageGoneError.
        """
        layers = list(layers_of(self.image(image_id), self.layers()))
        folders = [self.graphroot / self.driver / layer.id / "diff" for layer in reversed(layers)]
        return folders if self.driver == "overlay" and all(folder.is_dir() for folder in folders) else []

    def container_folder(self, container_id: str) -> Path:
        """Return where what is known of a working container is kept."""
        return self.graphroot / f"{self.driver}-containers" / container_id

    def stamp(self) -> tuple[tuple[str, int, int, int], ...]:
        """Return (path, size, mtime_ns, inode) of images.json, all zero while there is none."""
        return (stamp_of(str(self._file("images"))),)

    def _file(self, kind: str) -> Path:
        return self.graphroot / f"{self.driver}-{kind}" / f"{kind}.json"

    def _image_json(self, image_id: str, name: str) -> Any:  # noqa: ANN401 - whatever JSON is in it
        try:
            return json.loads(self._image_data(image_id, name))
        except ValueError as error:
            raise _broken(image_id, error) from None

    def _image_data(self, image_id: str, name: str) -> bytes:
        try:
            return (self.graphroot / f"{self.driver}-images" / image_id / name).read_bytes()
        except FileNotFoundError:
            raise ImageGoneError("image-gone", f"the image {image_id[:12]} is no longer in the store") from None
        except OSError as error:
            raise _broken(image_id, error) from None

    def read_images(self) -> list[dict[str, Any]]:
        """Return the lines of images.json."""
        return self._read_list(self._file("images"))

    def _read_list(self, file: Path) -> list[dict[str, Any]]:
        try:
            entries: list[dict[str, Any]] = json.loads(file.read_bytes() or b"[]") or []
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise BackendError("store-broken", f"cannot read {file}: {error}") from error
        return entries


@lru_cache(maxsize=2)
def _images(store: Store, _stamp: object) -> Mapping[str, StoredImage]:
    return MappingProxyType({entry["id"]: _stored(entry) for entry in store.read_images()})


def layers_of(image: StoredImage, layers: Mapping[str, StoredLayer]) -> Iterator[StoredLayer]:
    """Iterate over an image's layers, the topmost first."""
    layer = layers.get(image.layer)
    while layer:
        yield layer
        layer = layers.get(layer.parent)


def _broken(image_id: str, error: Exception) -> ImageGoneError:
    return ImageGoneError("image-broken", f"the image {image_id[:12]} is damaged in the store: {error}")


def stamp_of(path: str) -> tuple[str, int, int, int]:
    """Return (path, size, mtime_ns, inode) of a file, all zero while there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return (path, 0, 0, 0)
    return (path, found.st_size, found.st_mtime_ns, found.st_ino)


def _stored(entry: dict[str, Any]) -> StoredImage:
    parts: dict[str, str] = entry.get("big-data-digests") or {}
    digests = {digest for name, digest in parts.items() if name.startswith("manifest")}
    return StoredImage(
        entry["id"],
        parts.get("manifest") or entry.get("digest", ""),
        frozenset(digests | ({entry["digest"]} if entry.get("digest") else set())),
        tuple(entry.get("names") or ()),
        entry.get("layer", ""),
        entry.get("created", ""),
        tuple(entry.get("names-history") or ()),
    )


def _container(entry: dict[str, Any]) -> StoredContainer:
    return StoredContainer(entry["id"], tuple(entry.get("names") or ()), entry["layer"], entry.get("image", ""))


def _layer(entry: dict[str, Any]) -> StoredLayer:
    return StoredLayer(
        entry["id"], entry.get("parent", ""), int(entry.get("diff-size") or 0), entry.get("diff-digest", "")
    )


def _encoded(key: str) -> str:
    return "=" + base64.b64encode(key.encode()).decode()
