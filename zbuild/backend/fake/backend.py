"""A backend without containers, for tests: images are folders, COPY is real, RUN knows a few commands.

It keeps the protocol as strictly as the others (the contract suite holds it to that) and starts no process.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zbuild.backend.digests import digest_exports, digest_selections
from zbuild.backend.fake.images import ImageFolder
from zbuild.backend.fake.stage import FakeStage
from zbuild.backend.layer_digest import digest_layers
from zbuild.backend.local_names import image_id_of, local_names
from zbuild.backend.protocol import BaseImage, Capabilities, ImageList, ImageUse, KeptFiles, StageResult, forget
from zbuild.backend.rootfs import Rootfs
from zbuild.backend.transcript import Transcript
from zbuild.base.errors import RegistryError
from zbuild.model.image_config import ImageConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from zbuild.backend.fake.images import FakeImage
    from zbuild.backend.protocol import Keep, Packaging, PushOrder, StageBuild, StorePolicy, Unfinished
    from zbuild.base.platform import Platform
    from zbuild.events.bus import Emit
    from zbuild.model.steps import Selection

_OWN = "localhost/zbuild-fake:"


class FakeBackend:
    """Keeps images in a folder of its own. Nothing can be pulled; what is pushed is written to `registry.json`."""

    name = "fake"

    def __init__(self, folder: Path) -> None:
        self._images = ImageFolder(folder / "images")
        self._work = folder / "work"
        self._registry = folder / "registry.json"
        self._stop = threading.Event()
        self._counter = itertools.count(1)

    def capabilities(self) -> Capabilities:
        """Say what this backend can do."""
        return Capabilities(("linux",), run=True, pulls=False, detail=f"fake, images in {self._images.folder}")

    def resolve(self, reference: str, platform: Platform, pull: StorePolicy) -> BaseImage:  # noqa: ARG002 - no registry
        """Find an image by name or id. Raises RegistryError."""
        image_id = image_id_of(reference)
        names = {image_id} if image_id else set(local_names(reference))
        for image in self._images.all().values():
            if image.platform == str(platform) and names & {image.id, *image.names}:
                return BaseImage(image.id, image.digest, image.config, image.layers)
        raise RegistryError("image-missing", f"the image {reference} is not in the store, and there is no registry")

    def build(self, order: StageBuild, emit: Emit, keep: Keep = forget) -> StageResult:
        """Carry out a stage's steps in a folder and keep it as an image. Raises StageError, ImageGoneError."""
        stage = FakeStage(self._images, order, self._stop)
        with self._new_folder() as work:
            with Transcript(order, emit) as transcript, Rootfs(os.fsencode(work)) as root:
                seconds = stage.carry_out(root, transcript, lambda done: keep(self._checkpoint(stage, work, done)))
            exports = digest_exports(os.fsencode(work), order.exports)
            image = self._images.add(work, tuple(stage.layers), order.config, str(order.platform), order.epoch)
        self._images.tag(image.id, order.names or (_OWN + order.key,))
        layers, copied = image.layers, tuple(stage.copied)
        return StageResult(image.id, image.digest, layers, image.size, len(layers), seconds, exports, copied)

    @contextmanager
    def _new_folder(self) -> Iterator[Path]:
        work = self._work / f"{os.getpid()}-{next(self._counter)}"
        work.mkdir(parents=True)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _checkpoint(self, stage: FakeStage, work: Path, done: int) -> KeptFiles:
        copy = work.with_name(f"{work.name}-{done}")
        shutil.copytree(work, copy, symlinks=True)
        order = stage.order
        image = self._images.add(copy, tuple(stage.layers), ImageConfig(), str(order.platform))
        stage.layers[:] = image.layers
        key = order.layering.keys[done - 1]
        self._images.tag(image.id, (_OWN + key,))
        return KeptFiles(key, done, image.id, image.layers, image.size, tuple(stage.copied))

    def tree_digest(self, image_id: str, selections: Sequence[Selection], *, shared: bool = False) -> tuple[str, ...]:
        """Digest selections of an image's files. Raises ImageGoneError."""
        return digest_selections(os.fsencode(self._images.root(image_id)), selections, shared=shared)

    def root(self, image_id: str) -> bytes:
        """Return the folder of an image's files. Raises ImageGoneError."""
        return os.fsencode(self._images.root(image_id))

    def check(self, image_id: str) -> tuple[str, ...]:
        """Say which layers of an image are not what their digests name. Raises ImageGoneError."""
        return self._images.check(image_id)

    def layers_digest(self, image_id: str, below: int) -> str:  # noqa: ARG002 - each image has all its files
        """Digest an image's files. Raises ImageGoneError."""
        return digest_layers([os.fsencode(self._images.root(image_id))])

    def images(self) -> Mapping[str, tuple[str, ...]]:
        """List every image, id → names."""
        return {image.id: image.names for image in self._images.all().values()}

    def is_image(self, image_id: str) -> bool:
        """Say that all results are images."""
        del image_id
        return True

    def usage(self) -> Mapping[str, ImageUse]:
        """Tell what images hold: each has its files to itself."""
        images = self._images.all().values()
        return {image.id: _use(image, [other for other in images if image.id in other.layers]) for image in images}

    def store_stamp(self) -> tuple[tuple[str, int, int, int], ...]:
        """Return the stat data of the index."""
        index = self._images.index
        if not index.exists():
            return ((str(index), 0, 0, 0),)
        stat = index.stat()
        return ((str(index), stat.st_size, stat.st_mtime_ns, stat.st_ino),)

    def tag(self, image_id: str, names: Sequence[str]) -> None:
        """Give an image more names. Raises ImageGoneError."""
        self._images.tag(image_id, names)

    def make_list(self, image_ids: Sequence[str]) -> ImageList:
        """Put images into a list, unless there is one. Raises ImageGoneError."""
        image = self._images.add_list(image_ids)
        if not image.names:
            self._images.tag(image.id, [f"{_OWN}list-{image.id}"])
        return ImageList(image.id, image.digest)

    def cannot_run(self, platform: Platform) -> str:  # noqa: ARG002 - its commands are no programs
        """Say that everything can run."""
        return ""

    def remove(self, image_ids: Sequence[str]) -> None:
        """Remove images with all their names."""
        self._images.remove(frozenset(image_ids))

    def push(
        self,
        orders: Sequence[PushOrder],
        pushed: Callable[[PushOrder, str], None],
        *,
        tags_last: bool = False,  # noqa: ARG002 - all is written at once
    ) -> None:
        """Write to a file what a registry would hold. Raises ImageGoneError."""
        digests = {order.reference: self._images.get(order.image_id).digest for order in orders}
        held = json.loads(self._registry.read_bytes()) if self._registry.exists() else {}
        self._registry.parent.mkdir(parents=True, exist_ok=True)
        self._registry.write_text(json.dumps(held | digests))
        for order in orders:
            pushed(order, digests[order.reference])

    def layers(self) -> Collection[str]:
        """Return the diff ids of all layers in the store."""
        return {layer for image in self._images.all().values() for layer in image.layers}

    def export(self, image_ids: Sequence[str], folder: Path, *, without: Collection[str] = ()) -> tuple[str, ...]:
        """Write images to a folder as one OCI image layout. Raises ImageGoneError."""
        return tuple(self._images.export(image_id, folder, without) for image_id in image_ids)

    def load(self, folder: Path, digest: str, key: str, names: Sequence[str] = ()) -> str:
        """Bring an image of a layout into the store. Raises BackendError."""
        with self._new_folder() as work:
            image_id = self._images.load(folder, digest, work)
        self._images.tag(image_id, names or (_OWN + key,))
        return image_id

    def save(self, image_id: str, packaging: Packaging, path: str, names: Sequence[str]) -> None:
        """Write what would be there to a file, as text. Raises ImageGoneError."""
        self._images.get(image_id)
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - a text
            file.write(f"{packaging} {image_id} {' '.join(names)}\n")

    def sweep(self, keep: Collection[str], unfinished: Sequence[Unfinished]) -> tuple[str, ...]:
        """Remove working folders, own-named images that are not kept, and those of unfinished orders."""
        folders = sorted(self._work.iterdir()) if self._work.is_dir() else []
        for folder in folders:
            shutil.rmtree(folder)
        images = [image for image in self._images.all().values() if image.id not in keep]
        left = [image for image in images if _is_own(image) or any(_is_of(image, order) for order in unfinished)]
        self.remove([image.id for image in left])
        return (*(f"folder {folder.name}" for folder in folders), *(f"image {image.id[:12]}" for image in left))

    def cancel(self) -> None:
        """Let `build` calls end with InterruptedBuildError."""
        self._stop.set()

    def close(self) -> None:
        """Release nothing: there is nothing to release."""


def _use(image: FakeImage, lists: Sequence[FakeImage]) -> ImageUse:
    given = tuple(name for one in (image, *lists) for name in one.names if not name.startswith(_OWN))
    return ImageUse(given, in_use=False, layers={image.id: image.size})


def _is_own(image: FakeImage) -> bool:
    return bool(image.names) and all(name.startswith(_OWN) for name in image.names)


def _is_of(image: FakeImage, order: Unfinished) -> bool:
    return bool(set(order.names) & set(image.names)) and image.created >= order.started
