"""Images as folders: `<folder>/images.json` lists them, `<folder>/<id>` holds an image's files."""

from __future__ import annotations

import json
import shutil
import threading
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.digest import sha256
from zbuild.base.errors import ImageGoneError
from zbuild.model.image_config import HealthConfig, ImageConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path
    from typing import Any


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

    @property
    def digest(self) -> str:
        """What stands for a manifest's digest."""
        return f"sha256:{sha256((self.id, 'manifest'))}"


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

    def add(self, work: Path, below: tuple[str, ...], config: ImageConfig, platform: str) -> FakeImage:
        """Make an image of a folder, which is moved; `below` are the layers of its base."""
        created = time.time()
        layers = (*below, f"sha256:{sha256((str(work), str(created)))}")
        size = sum(file.lstat().st_size for file in work.rglob("*"))
        image = FakeImage(sha256((layers, str(config))), (), layers, config, platform, size, created)
        self.folder.mkdir(parents=True, exist_ok=True)
        work.rename(self.folder / image.id)
        self._change(lambda images: {**images, image.id: image})
        return image

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
        for image_id in image_ids:
            shutil.rmtree(self.folder / image_id, ignore_errors=True)

    def _change(self, change: Callable[[dict[str, FakeImage]], dict[str, FakeImage]]) -> None:
        with self._lock:
            images = change(self.all())
            if not images and not self.folder.exists():
                return
            new = self.index.with_suffix(".new")
            new.write_text(json.dumps([asdict(image) for image in images.values()]))
            new.replace(self.index)


def _image(entry: dict[str, Any]) -> FakeImage:
    fields = {**entry, "config": _config(entry["config"])}
    return FakeImage(**{name: _tuples(value) for name, value in fields.items()})


def _config(fields: dict[str, Any]) -> ImageConfig:
    health = fields.pop("health")
    checked = HealthConfig(**{name: _tuples(value) for name, value in health.items()}) if health else None
    return ImageConfig(**{name: _tuples(value) for name, value in fields.items()}, health=checked)


def _tuples(value: Any) -> Any:  # noqa: ANN401 - JSON knows no tuples: lists become what they were
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
