"""Carries out the steps of one stage in a folder."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from dataclasses import field, replace
from typing import TYPE_CHECKING, assert_never

from zbuild.backend.copying import copy_step, folder_step
from zbuild.backend.fake.commands import CANCELLED, TIMED_OUT, FakeRun, run_command
from zbuild.backend.layering import Checkpointing
from zbuild.backend.lending import Lenders, Lending
from zbuild.backend.process import Runner
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import InterruptedBuildError, StageError
from zbuild.model.mounts import SecretMount
from zbuild.model.remote import GitOrigin, UrlOrigin
from zbuild.model.steps import (
    ContextOrigin,
    CopyStep,
    FolderStep,
    ImageOrigin,
    RunStep,
    Selection,
    StageOrigin,
    takes_from_context,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from zbuild.backend.fake.images import ImageFolder
    from zbuild.backend.protocol import StageBuild
    from zbuild.backend.rootfs import Rootfs
    from zbuild.backend.transcript import Transcript
    from zbuild.model.steps import Origin, Step


@dataclass(frozen=True, slots=True)
class FakeStage:
    """One order, the images it may read, and what is set when the build is to stop.

    `copied` is as in `StageResult`; `layers` are the diff ids of the image that was last made or begun with.
    """

    images: ImageFolder
    order: StageBuild
    stop: threading.Event
    copied: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)

    def carry_out(self, root: Rootfs, transcript: Transcript, keep: Callable[[int], None]) -> tuple[float, ...]:
        """Put the image below into a root and carry out the steps there; return the seconds each took.

        `keep` is told when to keep a checkpoint, and how many steps are done. Raises StageError, ImageGoneError, and
        InterruptedBuildError.
        """
        self._check()
        if below := self.order.start or self.order.base:
            everything = CopyStep(StageOrigin(""), Selection((".",)), "/")
            copy_step(root, everything, os.fsencode(self.images.root(below.image_id)), self._check)
            self.layers.extend(self.images.get(below.image_id).layers)
        checkpointing = Checkpointing(self.order)
        cached = self.order.start.done if self.order.start else 0
        seconds = []
        for done, step in enumerate(self.order.steps, 1):
            if done <= cached:
                transcript.cached(done, step.text)
                seconds.append(0.0)
                continue
            seconds.append(self._timed(root, done, step, transcript))
            if checkpointing.is_due(done, seconds[-1]):
                keep(done)
        return tuple(seconds)

    def _check(self) -> None:
        if self.stop.is_set():
            raise InterruptedBuildError(signal.SIGINT)

    def _timed(self, root: Rootfs, index: int, step: Step, transcript: Transcript) -> float:
        self._check()
        started = time.monotonic()
        transcript.started(index, step.text)
        match step:
            case CopyStep():
                stamps = copy_step(root, step, self._tree(step.origin), self._check)
                self.copied.extend([stamps] if takes_from_context(step) else [])
            case FolderStep():
                folder_step(root, step)
            case RunStep():
                self._run(root, index, step, transcript)
            case _:
                assert_never(step)
        seconds = time.monotonic() - started
        transcript.finished(index, seconds)
        return seconds

    def _tree(self, origin: Origin) -> bytes:
        match origin:
            case ContextOrigin(path):
                return os.fsencode(path)
            case StageOrigin(name) | ImageOrigin(name):
                return os.fsencode(self.images.root(self.order.images[name]))
            case UrlOrigin() | GitOrigin():
                return os.fsencode(self.order.fetched[origin])
            case _:
                assert_never(origin)

    def _run(self, root: Rootfs, index: int, step: RunStep, transcript: Transcript) -> None:
        with ExitStack() as stack:
            # Agents need sockets, which nothing here would speak to.
            lending = Lending(step, Lenders(self.order.secrets, {}, Runner()), "zbuild-fake", stack)
            secrets = [mount for mount in step.mounts if isinstance(mount, SecretMount)]
            files = {mount.target: file for mount in secrets if (file := lending.secret(mount))}
            transcript.hide(lending.hidden)
            step = replace(step, env=(*step.env, *lending.env.items()))
            run = FakeRun(root, step, lambda line: transcript.line("stdout", line), self.stop, files)
            self._attempts(run, index, transcript)

    def _attempts(self, run: FakeRun, index: int, transcript: Transcript) -> None:
        step = run.step
        code = run_command(run)
        for attempt in range(1, step.retries + 1):
            if code in (0, CANCELLED):
                break
            transcript.retried(index, attempt, f"exit code {code}")
            code = run_command(run)
        self._check()
        if code:
            raise _failed(code, step, transcript)


def _failed(code: int, step: RunStep, transcript: Transcript) -> StageError:
    tail = tuple(transcript.tail)
    if code == TIMED_OUT:
        message = f"'{step.text}' took too long"
        return StageError("run-timeout", message, span=step.span, tail=tail, log=transcript.log)
    message = f"'{step.text}' ended with exit code {code}"
    return StageError("run-failed", message, span=step.span, returncode=code, tail=tail, log=transcript.log)
