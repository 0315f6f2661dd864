"""Builds one stage: from, its steps, at most one config, commit; a checkpoint is one more commit and one more from.

A stage that others only read is built without buildah, as a tree; a checkpoint then is one more tree.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, assert_never

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.caches import Caches
from zbuild.backend.buildah.commit import commit
from zbuild.backend.buildah.config_flags import config_flags, lost_settings
from zbuild.backend.buildah.container import Container
from zbuild.backend.buildah.direct import goes_direct, needs_buildah
from zbuild.backend.buildah.mounts import MountSources, mounted
from zbuild.backend.buildah.run_mount import Mounted
from zbuild.backend.buildah.run_step import BaseSettings, Run, run_step
from zbuild.backend.buildah.syncfs import syncfs
from zbuild.backend.buildah.tree import Tree
from zbuild.backend.buildah.trees import is_tree
from zbuild.backend.copying import copy_step, folder_step
from zbuild.backend.digests import digest_exports
from zbuild.backend.faults import cannot_start
from zbuild.backend.image_json import diff_ids, parse_config
from zbuild.backend.layering import Checkpointing
from zbuild.backend.lending import Lenders
from zbuild.backend.protocol import KeptFiles, StageResult
from zbuild.backend.rootfs import Rootfs
from zbuild.backend.transcript import Transcript
from zbuild.base.platform import host_platform
from zbuild.events.types import Notice
from zbuild.model.image_config import ImageConfig
from zbuild.model.remote import GitOrigin, UrlOrigin
from zbuild.model.steps import (
    ContextOrigin,
    CopyStep,
    FolderStep,
    ImageOrigin,
    RunStep,
    StageOrigin,
    takes_from_context,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.image_roots import ImageRoots
    from zbuild.backend.buildah.plain_images import PlainImages
    from zbuild.backend.buildah.store import StoredImage
    from zbuild.backend.buildah.trees import Trees
    from zbuild.backend.protocol import Keep, StageBuild
    from zbuild.events.bus import Emit
    from zbuild.model.steps import Origin, Step


_HOSTNAME = "zbuild"  # of RUNs in images that are to be reproducible
# Seconds that one more tree costs: an unmount, a mount, and a sync of the file system.
_TREE_PRICE = 0.01


class _Kept(NamedTuple):
    """What is kept of a stage: an image or a tree, its layers from the lowest, and the bytes of all of them."""

    image_id: str
    digest: str
    layers: tuple[str, ...]
    size: int


class StageRun:
    """The building of one stage."""

    def __init__(
        self,
        engine: Engine,
        plain: PlainImages,
        trees: Trees,
        roots: ImageRoots,
        caches: Path,
        order: StageBuild,
        emit: Emit,
    ) -> None:
        self._engine = engine
        self._plain = plain
        self._trees = trees
        self._roots = roots
        self._order = order
        self._emit = emit
        self._sources = MountSources(
            Caches(caches, engine.runner),
            self._tree,
            self._identity,
            Lenders(order.secrets, order.agents, engine.runner),
        )
        self._base = BaseSettings()
        self._copied: list[str] = []
        self._seconds: list[float] = []
        self._as_tree = self._can_be_tree()
        price = _TREE_PRICE if self._as_tree else order.layering.price
        self._checkpointing = Checkpointing(replace(order, layering=replace(order.layering, price=price)))
        self._commits: list[tuple[float, int]] = []

    def build(self, keep: Keep) -> StageResult:
        """Build the stage; on return its image is on the disk. Raises what `Backend.build` does."""
        self._refuse_foreign_runs()
        with Transcript(self._order, self._emit) as transcript:
            image_id = self._below(transcript)
            while True:
                with self._place(image_id) as place:
                    if self._carries_out(place, transcript):
                        return self._finish(place)
                    image_id = self._checkpoint(place, keep)

    def _can_be_tree(self) -> bool:
        order, engine = self._order, self._engine
        runs = [step for step in order.steps if isinstance(step, RunStep)]
        return (
            order.read_only
            and order.epoch is None
            and engine.mounts_roots
            and (order.base is not None or order.platform == host_platform())
            and (not runs or goes_direct(engine.facts))
            and not any(map(needs_buildah, runs))
            and all(engine.template(step.network if step.network == "none" else "host") for step in runs)
        )

    def _below(self, transcript: Transcript) -> str:
        """Return the image to start from, "" for scratch, and tell of the steps that a checkpoint holds."""
        order = self._order
        if order.start is None:
            return order.base.image_id if order.base else ""
        for index, step in enumerate(order.steps[: order.start.done], 1):
            transcript.cached(index, step.text)
            self._seconds.append(0.0)
        return order.start.image_id

    def _refuse_foreign_runs(self) -> None:
        """Refuse commands that this machine cannot start; files can be copied into images of any platform."""
        step = next((step for step in self._order.steps if isinstance(step, RunStep)), None)
        reason = self._engine.cannot_run(self._order.platform) if step else ""
        if step and reason:
            raise cannot_start(step, self._order.platform, reason)

    def _place(self, image_id: str) -> Container | Tree:
        """Make what the steps are carried out in, upon an image or a tree ("": upon nothing)."""
        if self._as_tree:
            self._base = self._settings(self._base_config())
            if tree := self._trees.create(image_id):
                return tree
            self._as_tree = False
            self._checkpointing = Checkpointing(self._order)  # by what commits cost
        return self._container(self._trees.image_of(image_id))

    def _container(self, image_id: str) -> Container:
        """Make a working container of an image, whose configuration is the base's, or that of a result."""
        order = self._order
        self._base = self._settings(self._stored_config(image_id))
        if image_id:
            return Container(self._engine, self._plain.of(image_id), order.format)
        foreign = None if order.platform == host_platform() else order.platform
        return Container(self._engine, commands.SCRATCH, order.format, foreign)

    def _settings(self, config: ImageConfig) -> BaseSettings:
        """Return what RUNs find: a configuration, and the stage's base, whatever checkpoint lies between."""
        base = self._order.base
        if base is None or is_tree(base.image_id):
            return BaseSettings(config, "", base.image_id if base else "")
        return BaseSettings(config, next(iter(self._engine.store.image(base.image_id).names), ""), base.image_id)

    def _base_config(self) -> ImageConfig:
        """Return the base's configuration, as stored: it may lack what its format cannot hold."""
        base = self._order.base
        if base and is_tree(base.image_id):
            return replace(base.config, onbuild=())
        return self._stored_config(base.image_id if base else "")

    def _stored_config(self, image_id: str) -> ImageConfig:
        if not image_id:
            return ImageConfig()
        config = parse_config(self._engine.store.config(image_id))
        return replace(config, onbuild=())  # the container is made of a plain one

    def _carries_out(self, place: Container | Tree, transcript: Transcript) -> bool:
        """Carry out steps until all are done, or until a checkpoint is due: then it is False."""
        try:
            ended = self._steps(place, transcript)
        except OSError:
            self._check_images()
            raise
        self._check_images()
        return ended

    def _steps(self, place: Container | Tree, transcript: Transcript) -> bool:
        steps, done = self._order.steps, len(self._seconds)
        if done < len(steps) and isinstance(place, Container):
            self._take_base_config(place)
        for index, step in enumerate(steps[done:], done + 1):
            seconds = self._timed(place, index, step, transcript)
            self._seconds.append(seconds)
            if self._checkpointing.is_due(index, seconds, place.written):
                return False
        return True

    def _take_base_config(self, container: Container) -> None:
        """Give a container that was made of a result the configuration of the base, which RUN is to find."""
        wanted = self._base_config()
        if self._base.config == wanted:
            return
        flags = config_flags(self._base.config, wanted, self._order.format)
        if flags:
            self._engine.call(commands.config(container.name, flags))
        self._base = self._base._replace(config=wanted)

    def _check_images(self) -> None:
        """See that the images that were read are still there: zbuild's mounts keep nobody from removing them."""
        for image_id in self._order.images.values():
            if is_tree(image_id):
                self._trees.get(image_id)
            else:
                self._engine.store.image(image_id)

    def _timed(self, place: Container | Tree, index: int, step: Step, transcript: Transcript) -> float:
        started = time.monotonic()
        transcript.started(index, step.text)
        self._do(place, index, step, transcript)
        seconds = time.monotonic() - started
        transcript.finished(index, seconds)
        return seconds

    def _do(self, place: Container | Tree, index: int, step: Step, transcript: Transcript) -> None:
        if self._order.epoch is not None and isinstance(step, RunStep) and isinstance(place, Container):
            place.set_times(self._order.epoch)
        match step:
            case RunStep() if step.mounts or step.programs:
                with mounted(step, place, self._sources) as mounts:
                    transcript.hide(mounts.hidden)
                    run_step(self._run(place, step, mounts, transcript), index)
            case RunStep():
                run_step(self._run(place, step, Mounted(), transcript), index)
            case CopyStep():
                with Rootfs(place.root) as root:
                    stamps = copy_step(root, step, self._tree(step.origin), self._engine.runner.check)
                self._copied += [stamps] if takes_from_context(step) else []
            case FolderStep():
                with Rootfs(place.root) as root:
                    folder_step(root, step)
            case _:
                assert_never(step)

    def _run(self, container: Container | Tree, step: RunStep, mounts: Mounted, transcript: Transcript) -> Run:
        hostname = "" if self._order.epoch is None else _HOSTNAME
        return Run(self._engine, container, self._base, step, mounts, transcript, hostname)

    def _tree(self, origin: Origin) -> bytes:
        """Return the folder that holds an origin's files."""
        match origin:
            case ContextOrigin(path):
                return os.fsencode(path)
            case StageOrigin(name) | ImageOrigin(name):
                return self._roots.root(self._order.images[name])
            case UrlOrigin() | GitOrigin():
                return os.fsencode(self._order.fetched[origin])
            case _:
                assert_never(origin)

    def _identity(self, origin: Origin) -> str:
        """Return what names the state of an origin's files; of a context, which changes all the time, its place."""
        match origin:
            case ContextOrigin(path):
                return path
            case StageOrigin(name) | ImageOrigin(name):
                return self._order.images[name]
            case UrlOrigin() | GitOrigin():
                return self._order.fetched[origin]
            case _:
                assert_never(origin)

    def _configure(self, container: Container) -> None:
        order = self._order
        for setting in lost_settings(order.config, order.format):
            self._emit(Notice(f"{order.stage}: an image of format {order.format} cannot hold {setting}", "warning"))
        base = self._base.config if container.has_volumes else replace(self._base.config, volumes=())
        flags = config_flags(base, order.config, order.format, order.annotations)
        if flags:
            self._engine.call(commands.config(container.name, flags))

    def _finish(self, place: Container | Tree) -> StageResult:
        order = self._order
        exports = digest_exports(place.root, order.exports) if order.exports else ()
        if isinstance(place, Container):
            self._configure(place)
        kept = self._keep(place, order.names or (self._engine.names.image(order.key),))
        return StageResult(
            image_id=kept.image_id,
            digest=kept.digest,
            diff_ids=kept.layers,
            size=kept.size,
            layer_count=len(kept.layers),
            seconds=tuple(self._seconds),
            exports=exports,
            copied=tuple(self._copied),
            commits=tuple(self._commits),
        )

    def _checkpoint(self, place: Container | Tree, keep: Keep) -> str:
        """Keep what is done, tell of it, and return the image or tree to go on from."""
        done = len(self._seconds)
        key = self._order.layering.keys[done - 1]
        kept = self._keep(place, (self._engine.names.image(key),))
        keep(KeptFiles(key, done, kept.image_id, kept.layers, kept.size, tuple(self._copied)))
        return kept.image_id

    def _keep(self, place: Container | Tree, names: Sequence[str]) -> _Kept:
        """Keep what was done, durably: as a tree, or as an image of these names."""
        if isinstance(place, Tree):
            tree = place.keep()
            syncfs(self._engine.facts.graphroot)
            return _Kept(tree.id, "", self._trees.layer_ids(tree), self._trees.size(tree))
        image, store = self._commit(place, names), self._engine.store
        return _Kept(image.id, image.digest, diff_ids(store.config(image.id)), store.size(image))

    def _commit(self, container: Container, names: Sequence[str]) -> StoredImage:
        """Make an image of the container, and note what that cost."""
        started = time.monotonic()
        image = commit(self._engine, self._order, container, names)
        seconds = container.made_in + time.monotonic() - started
        self._commits.append((seconds, self._engine.store.layers()[image.layer].size))
        return image
