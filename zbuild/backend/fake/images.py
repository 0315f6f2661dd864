"""Images as folders: `<folder>/images.json` lists them, `<folder>/<id>` holds an image's files.

`<folder>/layers/` holds each layer as a tar. A layer is all files of its image, those of the layers below included.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import threading
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.digest import xxh
from zbuild.base.errors import BackendError, ImageGoneError
from zbuild.model.image_config import HealthConfig, ImageConfig
from zbuild.oci.layout import ImageBlobs, Layout, LayoutError, sha256_digest, unpacked_image

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path
    from typing import Any

_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True)
class FakeImage:
    """An image of the fake backend. `layers` are diff ids, `size` is in bytes, `created` is unix time."""

    id: str
    names: tuple[str, ...]
    layers: tuple[str, ...]
    config: ImageConfig
    platform: str
    size: int
    created: float
    layer_sizes: tuple[int, ...]

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return self.blobs.digest

    @property
    def blobs(self) -> ImageBlobs:
        """The manifest and config that an image layout has of it."""
        return image_blobs(dict(zip(self.layers, self.layer_sizes, strict=True)), self.config, self.platform)


def image_blobs(layers: Mapping[str, int], config: ImageConfig, platform: str) -> ImageBlobs:
    """Return a manifest and config of plain tars, given with their sizes; the config is laid out in its own way."""
    document = {"rootfs": {"type": "layers", "diff_ids": list(layers)}, "fake": asdict(config), "platform": platform}
    data = json.dumps(document).encode()
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": _CONFIG, "digest": sha256_digest(data), "size": len(data)},
        "layers": [{"mediaType": _LAYER, "digest": layer, "size": size} for layer, size in layers.items()],
    }
    return ImageBlobs(json.dumps(manifest).encode(), data)


class ImageFolder:
    """The fake backend's store. Changes come one at a time; the index is replaced whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = folder / "images.json"
        self._lock = threading.Lock()

    def all(self) -> dict[str, FakeImage]:
        """Return all images by id."""
        try:
            entries = json.loads(self.index.read_bytes())
        except FileNotFoundError:
            return {}
        return {entry["id"]: _image(entry) for entry in entries}

    def get(self, image_id: str) -> FakeImage:
        """Return one image. Raises ImageGoneError."""
        try:
            return self.all()[image_id]
        except KeyError:
            raise ImageGoneError("image-gone", f"the image {image_id[:12]} is no longer in the store") from None

    def root(self, image_id: str) -> Path:
        """Return the folder with an image's files. Raises ImageGoneError."""
        return self.folder / self.get(image_id).id

    def add(
        self, work: Path, below: tuple[str, ...], config: ImageConfig, platform: str, epoch: int | None = None
    ) -> FakeImage:
        """Make an image of a folder, which is moved; `below` are the layers of its base."""
        if epoch is not None:
            _set_times(work, epoch)
        layers = (*below, self._pack(work, f"{work} {time.time()}" if epoch is None else ""))
        return self._keep(work, layers, config, platform)

    def _keep(self, work: Path, layers: tuple[str, ...], config: ImageConfig, platform: str) -> FakeImage:
        size = sum(file.lstat().st_size for file in work.rglob("*"))
        sizes = {layer: self.layer(layer).stat().st_size for layer in layers}
        image_id = image_blobs(sizes, config, platform).image_id
        new = FakeImage(image_id, (), layers, config, platform, size, time.time(), tuple(sizes.values()))

        def added(images: dict[str, FakeImage]) -> dict[str, FakeImage]:
            before = images.get(image_id, new)
            shutil.rmtree(self.folder / image_id, ignore_errors=True)
            work.rename(self.folder / image_id)
            return {**images, image_id: replace(new, names=before.names)}

        self._change(added)
        return self.get(image_id)

    def _pack(self, work: Path, comment: str) -> str:
        """Make a layer of a folder and return its digest; the comment makes each a layer of its own."""
        packed = work.with_name(f"{work.name}.tar")
        with tarfile.open(packed, "w", format=tarfile.PAX_FORMAT, pax_headers={"comment": comment}) as tar:
            tar.add(work, ".")
        digest = sha256_digest(packed.read_bytes())
        self.layer(digest).parent.mkdir(parents=True, exist_ok=True)
        packed.rename(self.layer(digest))
        return digest

    def layer(self, digest: str) -> Path:
        """Return where a layer's tar is, or would be."""
        return self.folder / "layers" / digest.removeprefix("sha256:")

    def check(self, image_id: str) -> tuple[str, ...]:
        """Return what is wrong with an image's layers. Raises ImageGoneError."""
        problems = []
        for number, digest in enumerate(self.get(image_id).layers, 1):
            try:
                found = sha256_digest(self.layer(digest).read_bytes())
            except OSError as error:
                found = str(error.strerror)
            if found != digest:
                problems.append(f"layer {number} ({digest[:19]}): its files come to {found[:19]}")
        return tuple(problems)

    def export(self, image_id: str, folder: Path, without: Collection[str]) -> str:
        """Add an image to a layout and return its manifest's digest. Raises ImageGoneError."""
        image = self.get(image_id)
        layout = Layout.create(folder)
        for layer in image.layers:
            if layer not in without:
                shutil.copyfile(self.layer(layer), layout.blob(layer))
        layout.add(image.blobs)
        return image.digest

    def load(self, folder: Path, digest: str, work: Path) -> str:
        """Make an image of a layout, by way of an empty folder. Raises BackendError."""
        layout = Layout(folder)
        try:
            image = unpacked_image(layout, digest)
            for layer in image.diff_ids:
                self._take_layer(layout, layer)
        except LayoutError as error:
            raise BackendError("bad-layout", str(error)) from error
        with tarfile.open(self.layer(image.diff_ids[-1])) as tar:
            tar.extractall(work, filter="fully_trusted")  # noqa: S202 - zbuild packed it, in another store
        document = json.loads(image.config)
        return self._keep(work, image.diff_ids, _config(document["fake"]), document["platform"]).id

    def _take_layer(self, layout: Layout, digest: str) -> None:
        """See that a layer is in the store. Raises LayoutError where it is missing, or false."""
        if layout.blob(digest).exists():
            data = layout.read(digest)
            self.layer(digest).parent.mkdir(parents=True, exist_ok=True)
            self.layer(digest).write_bytes(data)
        elif not self.layer(digest).exists():
            raise LayoutError(f"the layer {digest} is neither in the layout nor in the store")

    def add_list(self, image_ids: Sequence[str]) -> FakeImage:
        """Return the list of some images, made if there is none; it has no files. Raises ImageGoneError."""
        ids = tuple(image_ids)
        sizes = tuple(self.get(image_id).size for image_id in ids)
        made = FakeImage(xxh(ids), (), ids, ImageConfig(), "", sum(sizes), time.time(), sizes)
        self._change(lambda images: {made.id: made, **images})
        return self.get(made.id)

    def tag(self, image_id: str, names: Sequence[str]) -> None:
        """Give an image names, taking each from whatever image had it. Raises ImageGoneError."""
        self.get(image_id)

        def named(image: FakeImage) -> FakeImage:
            others = tuple(name for name in image.names if name not in names)
            return replace(image, names=(*others, *names) if image.id == image_id else others)

        self._change(lambda images: {image.id: named(image) for image in images.values()})

    def remove(self, image_ids: Collection[str]) -> None:
        """Remove images; ones that are gone are no error."""
        self._change(lambda images: {key: image for key, image in images.items() if key not in image_ids})
        used = {layer for image in self.all().values() for layer in image.layers}
        for image_id in image_ids:
            shutil.rmtree(self.folder / image_id, ignore_errors=True)
        for layer in (self.folder / "layers").glob("*"):
            if f"sha256:{layer.name}" not in used:
                layer.unlink()

    def _change(self, change: Callable[[dict[str, FakeImage]], dict[str, FakeImage]]) -> None:
        with self._lock:
            images = change(self.all())
            if not images and not self.folder.exists():
                return
            new = self.index.with_suffix(".new")
            new.write_text(json.dumps([asdict(image) for image in images.values()]))
            new.replace(self.index)


def _set_times(work: Path, epoch: int) -> None:
    for file in (work, *work.rglob("*")):
        os.utime(file, (epoch, epoch), follow_symlinks=False)


def _image(entry: dict[str, Any]) -> FakeImage:
    fields = {**entry, "config": _config(entry["config"])}
    return FakeImage(**{name: _tuples(value) for name, value in fields.items()})


def _config(fields: dict[str, Any]) -> ImageConfig:
    health = fields.pop("health")
    checked = HealthConfig(**{name: _tuples(value) for name, value in health.items()}) if health else None
    return ImageConfig(**{name: _tuples(value) for name, value in fields.items()}, health=checked)


def _tuples(value: Any) -> Any:  # noqa: ANN401 - JSON knows no tuples: lists become what they were
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
