"""Builds one stage: from, its steps, at most one config, commit."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.caches import Caches
from zbuild.backend.buildah.config_flags import config_flags, lost_settings
from zbuild.backend.buildah.container import Container
from zbuild.backend.buildah.image_json import diff_ids, parse_config
from zbuild.backend.buildah.mounts import MountSources, mounted
from zbuild.backend.buildah.run_mount import Mounted
from zbuild.backend.buildah.run_step import BaseSettings, Run, run_step
from zbuild.backend.buildah.syncfs import syncfs
from zbuild.backend.copying import copy_step, folder_step
from zbuild.backend.digests import digest_exports
from zbuild.backend.lending import Lenders
from zbuild.backend.protocol import StageResult
from zbuild.backend.rootfs import Rootfs
from zbuild.backend.transcript import Transcript
from zbuild.base.errors import BackendError, ImageGoneError, InterruptedBuildError, StageError
from zbuild.base.platform import host_platform
from zbuild.events.types import Notice
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
    from pathlib import Path

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.image_roots import ImageRoots
    from zbuild.backend.buildah.plain_images import PlainImages
    from zbuild.backend.protocol import StageBuild
    from zbuild.events.bus import Emit
    from zbuild.model.steps import Origin, Selection, Step


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

    def build(self) -> StageResult:
        """Build the stage; on return its image is on the disk. Raises what `Backend.build` does."""
        self._refuse_windows_runs()
        self._base = self._base_settings()
        with Transcript(self._order, self._emit) as transcript, self._container() as container:
            seconds = self._steps(container, transcript)
            exports = self._digests(container)
            self._configure(container)
            image_id = self._commit(container)
        return self._result(image_id, seconds, exports)

    def _refuse_windows_runs(self) -> None:
        """Refuse commands of Windows images, which no runtime on Linux can start; files can be copied into them."""
        runs = (step for step in self._order.steps if isinstance(step, RunStep))
        if self._order.platform.os == "windows" and (step := next(runs, None)):
            message = f"'{step.text}': commands of Windows images cannot run on this machine"
            raise StageError("not-yet", message, span=step.span, hint="without RUN such an image can be built")

    def _base_settings(self) -> BaseSettings:
        """Return the configuration that the base really has: a stage's image may lack what its format cannot hold."""
        base = self._order.base
        if base is None:
            return BaseSettings()
        image = self._engine.store.image(base.image_id)
        config = parse_config(self._engine.store.config(base.image_id))
        config = replace(config, onbuild=())  # the container is made of a plain one
        return BaseSettings(config, next(iter(image.names), ""), base.image_id)

    def _container(self) -> Container:
        order = self._order
        if order.base:
            return Container(self._engine, self._plain.of(order.base.image_id), order.format)
        foreign = None if order.platform == host_platform() else order.platform
        return Container(self._engine, commands.SCRATCH, order.format, foreign)

    def _steps(self, container: Container, transcript: Transcript) -> tuple[float, ...]:
        """Carry out all steps and return the seconds of each."""
        steps = enumerate(self._order.steps, 1)
        try:
            seconds = tuple(self._timed(container, index, step, transcript) for index, step in steps)
        except OSError:
            self._check_images()
            raise
        self._check_images()
        return seconds

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
        match step:
            case RunStep() if step.mounts or step.programs:
                with mounted(step, container, self._sources) as mounts:
                    transcript.hide(mounts.hidden)
                    run_step(Run(self._engine, container, self._base, step, mounts, transcript), index)
            case RunStep():
                run_step(Run(self._engine, container, self._base, step, Mounted(), transcript), index)
            case CopyStep():
                with Rootfs(container.root) as root:
                    stamps = copy_step(root, step, self._tree(step.origin), self._engine.runner.check)
                self._copied += [stamps] if takes_from_context(step) else []
            case FolderStep():
                with Rootfs(container.root) as root:
                    folder_step(root, step)
            case _:
                assert_never(step)

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

    def _digests(self, container: Container) -> tuple[tuple[Selection, str], ...]:
        return digest_exports(container.root, self._order.exports) if self._order.exports else ()

    def _configure(self, container: Container) -> None:
        order = self._order
        for setting in lost_settings(order.config, order.format):
            self._emit(Notice(f"{order.stage}: an image of format {order.format} cannot hold {setting}", "warning"))
        base = self._base.config if container.has_volumes else replace(self._base.config, volumes=())
        flags = config_flags(base, order.config, order.format, order.annotations)
        if flags:
            self._engine.call(commands.config(container.name, flags))

    def _commit(self, container: Container) -> str:
        """Commit under the first name and add the others; what a failed commit leaves is removed."""
        name, *others = self._order.names or (self._engine.names.image(self._order.key),)
        before = frozenset(self._engine.store.images())
        container.release()
        try:
            image_id = self._engine.call(commands.commit(container.name, name, self._order.format))
        except (BackendError, InterruptedBuildError):
            self._remove_partial(before)
            raise
        container.committed()
        image_id = image_id.removeprefix("sha256:")
        if others:
            self._engine.call(commands.tag(image_id, others))
        syncfs(self._engine.facts.graphroot)
        return image_id

    def _remove_partial(self, before: frozenset[str]) -> None:
        """Remove images that came since, have no name and no config: a full disk leaves such a one for good."""
        for image_id, image in self._engine.store.images().items():
            if image_id in before or image.names:
                continue
            try:
                self._engine.store.config(image_id)
            except ImageGoneError:
                self._engine.runner.run(commands.remove_images([image_id]), cleanup=True)

    def _result(
        self, image_id: str, seconds: tuple[float, ...], exports: tuple[tuple[Selection, str], ...]
    ) -> StageResult:
        store = self._engine.store
        image = store.image(image_id)
        layers = diff_ids(store.config(image_id))
        copied = tuple(self._copied)
        return StageResult(image_id, image.digest, layers, store.size(image), len(layers), seconds, exports, copied)
