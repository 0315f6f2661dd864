"""The buildah backend: the protocol, handed to the modules that do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.direct import goes_direct
from zbuild.backend.buildah.engine import Engine
from zbuild.backend.buildah.facts import settings_files
from zbuild.backend.buildah.image_roots import ImageRoots
from zbuild.backend.buildah.lists import remove, remove_bare
from zbuild.backend.buildah.plain_images import PlainImages
from zbuild.backend.buildah.resolve import resolve
from zbuild.backend.buildah.run_step import networks
from zbuild.backend.buildah.stage import StageRun
from zbuild.backend.buildah.store import stamp_of
from zbuild.backend.buildah.sweep import sweep
from zbuild.backend.buildah.trees import Trees, is_tree
from zbuild.backend.digests import digest_selections
from zbuild.backend.faults import system_error
from zbuild.backend.layer_digest import digest_layers
from zbuild.backend.process import Runner
from zbuild.backend.protocol import Capabilities, forget

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from zbuild.backend.buildah.facts import Memory
    from zbuild.backend.protocol import (
        BaseImage,
        ImageList,
        ImageUse,
        Keep,
        Packaging,
        PushOrder,
        StageBuild,
        StageResult,
        StorePolicy,
        Unfinished,
    )
    from zbuild.base.platform import Platform
    from zbuild.events.bus import Emit
    from zbuild.model.steps import Selection


class BuildahBackend:
    """Builds Linux images with buildah, in the store that `buildah` itself uses here.

    `state` is the workspace's `.zbuild` folder, for cache mounts and images on their way out; `memory` remembers what
    the probe found.
    """

    name = "buildah"

    def __init__(self, workspace: Path, state: Path, memory: Memory, runner: Runner | None = None) -> None:
        self._engine = Engine(workspace, memory, runner or Runner())
        self._plain = PlainImages(self._engine)
        self._trees = Trees(self._engine, self._plain)
        self._roots = ImageRoots(self._engine, self._plain, self._trees)
        self._caches = state / "mounts"
        self._exports = state / "push"

    def capabilities(self) -> Capabilities:
        """Say what works here. Raises BackendError when nothing does."""
        facts = self._engine.facts
        failed = f"; {'; '.join(facts.failed)}" if facts.failed else ""
        way = "by the runtime itself" if goes_direct(facts) else "by buildah run"
        detail = f"buildah {facts.version}, RUN {way} ({self._engine.isolation}), {facts.driver} at {facts.graphroot}"
        if facts.not_direct:
            failed += f"; not directly: {facts.not_direct}"
        return Capabilities(("linux",), run=True, networks=networks(facts.isolation), detail=detail + failed)

    def resolve(self, reference: str, platform: Platform, pull: StorePolicy) -> BaseImage:
        """Find a base image. Raises RegistryError."""
        return resolve(self._engine, reference, platform, pull)

    def build(self, order: StageBuild, emit: Emit, keep: Keep = forget) -> StageResult:
        """Build one stage. Raises StageError, ImageGoneError, BackendError, InterruptedBuildError."""
        self._engine.runner.check()
        try:
            return StageRun(self._engine, self._plain, self._trees, self._roots, self._caches, order, emit).build(keep)
        except OSError as error:
            raise system_error(error, f"cannot build {order.stage}") from error

    def tree_digest(self, image_id: str, selections: Sequence[Selection], *, shared: bool = False) -> tuple[str, ...]:
        """Digest selections of an image's files. Raises ImageGoneError, BackendError."""
        try:
            return digest_selections(self._roots.root(image_id), selections, shared=shared)
        except OSError as error:
            raise system_error(error, f"cannot read the files of {image_id[:12]}") from error

    def root(self, image_id: str) -> bytes:
        """Return where an image's files are mounted. Raises ImageGoneError, BackendError."""
        return self._roots.root(image_id)

    def check(self, image_id: str) -> tuple[str, ...]:
        """Say what is wrong with an image. Raises ImageGoneError, BackendError."""
        from zbuild.backend.buildah.check import check  # noqa: PLC0415 - only `zbuild verify` asks

        try:
            return check(self._engine, image_id)
        except OSError as error:
            raise system_error(error, f"cannot read the image {image_id[:12]}") from error

    def layers_digest(self, image_id: str, below: int) -> str:
        """Digest what an image's upper layers add up to. Raises ImageGoneError, BackendError."""
        tree = is_tree(image_id)
        folders = self._trees.folders(image_id) if tree else self._engine.store.layer_folders(image_id)
        try:
            return digest_layers(map(bytes, folders[below:])) if folders else ""
        except OSError as error:
            raise system_error(error, f"cannot read the layers of {image_id[:12]}") from error

    def images(self) -> Mapping[str, tuple[str, ...]]:
        """List every image in the store, id → names."""
        images = {image.id: image.names for image in self._engine.store.images().values()}
        return {**images, **dict.fromkeys(self._trees.stored(), ())}

    def is_image(self, image_id: str) -> bool:
        """Tell whether an id is an image's, and not a tree's."""
        return not is_tree(image_id)

    def usage(self) -> Mapping[str, ImageUse]:
        """Tell of every image what holds it and what it takes."""
        from zbuild.backend.buildah.usage import usage  # noqa: PLC0415 - only `zbuild cache` asks

        images = usage(self._engine.store, self._engine.names.image_prefix)
        return {**images, **self._trees.usage(images)}

    def store_stamp(self) -> tuple[tuple[str, int, int, int], ...]:
        """Return what changes with the store's list of images, and with the settings that say where the store is."""
        return (*self._engine.store.stamp(), self._trees.stamp(), *map(stamp_of, settings_files()))

    def tag(self, image_id: str, names: Sequence[str]) -> None:
        """Give an image more names. Raises ImageGoneError when it is not there."""
        if names:
            self._engine.call(commands.tag(image_id, names))
            remove_bare(self._engine)

    def make_list(self, image_ids: Sequence[str]) -> ImageList:
        """Put images of several platforms into a list, unless there is one. Raises ImageGoneError, BackendError."""
        from zbuild.backend.buildah.list_maker import make_list  # noqa: PLC0415 - few images have several platforms

        return make_list(self._engine, image_ids)

    def cannot_run(self, platform: Platform) -> str:
        """Return why programs of a platform cannot be run here, "" when they can."""
        return self._engine.cannot_run(platform)

    def remove(self, image_ids: Sequence[str]) -> None:
        """Remove images with all their names; ones that are gone are no error."""
        remove(self._engine, self._trees.remove(image_ids))

    def push(
        self, orders: Sequence[PushOrder], pushed: Callable[[PushOrder, str], None], *, tags_last: bool = False
    ) -> None:
        """Push images to registries. Raises RegistryError, ImageGoneError, BackendError."""
        from zbuild.backend.buildah.push import Push  # noqa: PLC0415 - most builds push nothing

        try:
            Push(self._engine, self._exports, pushed).run(orders, tags_last=tags_last)
        except OSError as error:
            raise system_error(error, "cannot push") from error

    def layers(self) -> Collection[str]:
        """Return the diff ids of all layers in the store."""
        return {layer.diff_id for layer in self._engine.store.layers().values()}

    def export(self, image_ids: Sequence[str], folder: Path, *, without: Collection[str] = ()) -> tuple[str, ...]:
        """Write images to a folder as one OCI image layout. Raises ImageGoneError, BackendError."""
        from zbuild.backend.buildah.transfer import export  # noqa: PLC0415 - most builds export nothing

        try:
            return tuple(
                export(self._engine, self._trees.image_of(image_id), folder, without) for image_id in image_ids
            )
        except OSError as error:
            raise system_error(error, "cannot export") from error

    def load(self, folder: Path, digest: str, key: str, names: Sequence[str] = ()) -> str:
        """Bring an image of a layout into the store. Raises BackendError."""
        from zbuild.backend.buildah.transfer import load  # noqa: PLC0415 - likewise

        try:
            return load(self._engine, folder, digest, names or (self._engine.names.image(key),))
        except OSError as error:
            raise system_error(error, "cannot load an image") from error

    def save(self, image_id: str, packaging: Packaging, path: str, names: Sequence[str]) -> None:
        """Write an image, or a list and all in it, as other tools have it. Raises ImageGoneError, BackendError."""
        from zbuild.backend.buildah.save import save  # noqa: PLC0415 - few builds write images

        save(self._engine, image_id, packaging, path, names)

    def sweep(self, keep: Collection[str], unfinished: Sequence[Unfinished]) -> tuple[str, ...]:
        """Remove what dead runs of this workspace left, and say what was removed."""
        return sweep(self._engine, self._trees, keep, unfinished)

    def cancel(self) -> None:
        """Stop all that runs; `build` calls end with InterruptedBuildError."""
        self._engine.runner.cancel()

    def close(self) -> None:
        """Remove the helper containers."""
        self._roots.close()
