"""Builds one stage: from, its steps, at most one config, commit; a checkpoint is one more commit and one more from."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.caches import Caches
from zbuild.backend.buildah.commit import commit
from zbuild.backend.buildah.config_flags import config_flags, lost_settings
from zbuild.backend.buildah.container import Container
from zbuild.backend.buildah.mounts import MountSources, mounted
from zbuild.backend.buildah.run_mount import Mounted
from zbuild.backend.buildah.run_step import BaseSettings, Run, run_step
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
    from zbuild.backend.protocol import Keep, StageBuild
    from zbuild.events.bus import Emit
    from zbuild.model.steps import Origin, Step


_HOSTNAME = "zbuild"  # of RUNs in images that are to be reproducible


class StageRun:
    """The building of one stage."""

    def __init__(
        self, engine: Engine, plain: PlainImages, roots: ImageRoots, caches: Path, order: StageBuild, emit: Emit
    ) -> None:
        self._engine = engine
        self._plain = plain
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
        self._checkpointing = Checkpointing(order)
        self._commits: list[tuple[float, int]] = []

    def build(self, keep: Keep) -> StageResult:
        """Build the stage; on return its image is on the disk. Raises what `Backend.build` does."""
        self._refuse_foreign_runs()
        with Transcript(self._order, self._emit) as transcript:
            image_id = self._below(transcript)
            while True:
                with self._container(image_id) as container:
                    if self._carries_out(container, transcript):
                        return self._finish(container)
                    image_id = self._checkpoint(container, keep)

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

    def _container(self, image_id: str) -> Container:
        """Make a working container of an image, whose configuration is the base's, or that of a result."""
        order = self._order
        self._base = self._settings(image_id)
        if image_id:
            return Container(self._engine, self._plain.of(image_id), order.format)
        foreign = None if order.platform == host_platform() else order.platform
        return Container(self._engine, commands.SCRATCH, order.format, foreign)

    def _settings(self, image_id: str) -> BaseSettings:
        """Return what RUNs find: the configuration as stored, which may lack what its format cannot hold.

        Name and id are those of the stage's base, whatever checkpoint lies between.
        """
        config = self._stored_config(image_id)
        base = self._order.base
        if base is None:
            return BaseSettings(config)
        return BaseSettings(config, next(iter(self._engine.store.image(base.image_id).names), ""), base.image_id)

    def _stored_config(self, image_id: str) -> ImageConfig:
        if not image_id:
            return ImageConfig()
        config = parse_config(self._engine.store.config(image_id))
        return replace(config, onbuild=())  # the container is made of a plain one

    def _carries_out(self, container: Container, transcript: Transcript) -> bool:
        """Carry out steps until all are done, or until a checkpoint is due: then it is False."""
        try:
            ended = self._steps(container, transcript)
        except OSError:
            self._check_images()
            raise
        self._check_images()
        return ended

    def _steps(self, container: Container, transcript: Transcript) -> bool:
        steps, done = self._order.steps, len(self._seconds)
        if done < len(steps):
            self._take_base_config(container)
        for index, step in enumerate(steps[done:], done + 1):
            seconds = self._timed(container, index, step, transcript)
            self._seconds.append(seconds)
            if self._checkpointing.is_due(index, seconds, container.written):
                return False
        return True

    def _take_base_config(self, container: Container) -> None:
        """Give a container that was made of a result the configuration of the base, which RUN is to find."""
        start = self._order.start
        if start is None or self._base.config == (wanted := self._stored_config(self._base.image_id)):
            return
        flags = config_flags(self._base.config, wanted, self._order.format)
        if flags:
            self._engine.call(commands.config(container.name, flags))
        self._base = self._base._replace(config=wanted)

    def _check_images(self) -> None:
        """See that the images that were read are still there: zbuild's mounts keep nobody from removing them."""
        for image_id in self._order.images.values():
            self._engine.store.image(image_id)

    def _timed(self, container: Container, index: int, step: Step, transcript: Transcript) -> float:
        started = time.monotonic()
        transcript.started(index, step.text)
        self._do(container, index, step, transcript)
        seconds = time.monotonic() - started
        transcript.finished(index, seconds)
        return seconds

    def _do(self, container: Container, index: int, step: Step, transcript: Transcript) -> None:
        if self._order.epoch is not None and isinstance(step, RunStep):
            container.set_times(self._order.epoch)
        match step:
            case RunStep() if step.mounts or step.programs:
                with mounted(step, container, self._sources) as mounts:
                    transcript.hide(mounts.hidden)
                    run_step(self._run(container, step, mounts, transcript), index)
            case RunStep():
                run_step(self._run(container, step, Mounted(), transcript), index)
            case CopyStep():
                with Rootfs(container.root) as root:
                    stamps = copy_step(root, step, self._tree(step.origin), self._engine.runner.check)
                self._copied += [stamps] if takes_from_context(step) else []
            case FolderStep():
                with Rootfs(container.root) as root:
                    folder_step(root, step)
            case _:
                assert_never(step)

    def _run(self, container: Container, step: RunStep, mounts: Mounted, transcript: Transcript) -> Run:
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

    def _finish(self, container: Container) -> StageResult:
        order = self._order
        exports = digest_exports(container.root, order.exports) if order.exports else ()
        self._configure(container)
        image = self._commit(container, order.names or (self._engine.names.image(order.key),))
        store = self._engine.store
        layers = diff_ids(store.config(image.id))
        return StageResult(
            image_id=image.id,
            digest=image.digest,
            diff_ids=layers,
            size=store.size(image),
            layer_count=len(layers),
            seconds=tuple(self._seconds),
            exports=exports,
            copied=tuple(self._copied),
            commits=tuple(self._commits),
        )

    def _checkpoint(self, container: Container, keep: Keep) -> str:
        """Commit what is done, tell of it, and return the image to go on from."""
        done = len(self._seconds)
        key = self._order.layering.keys[done - 1]
        image = self._commit(container, (self._engine.names.image(key),))
        store = self._engine.store
        layers = diff_ids(store.config(image.id))
        keep(KeptFiles(key, done, image.id, layers, store.size(image), tuple(self._copied)))
        return image.id

    def _commit(self, container: Container, names: Sequence[str]) -> StoredImage:
        """Make an image of the container, and note what that cost."""
        started = time.monotonic()
        image = commit(self._engine, self._order, container, names)
        seconds = container.made_in + time.monotonic() - started
        self._commits.append((seconds, self._engine.store.layers()[image.layer].size))
        return image
