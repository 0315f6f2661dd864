"""Carries out a RUN: retries, its time limit, and what its exit code means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.run_output import RunOutput
from zbuild.backend.process import CommandTimeoutError
from zbuild.base.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.command import Command
    from zbuild.backend.process import Completed
    from zbuild.backend.transcript import Transcript
    from zbuild.base.errors import ZbuildError
    from zbuild.model.steps import RunStep

RETRY_PAUSE = 3.0
_OWN_FAULT = 125
_BAD_USER = ("unknown user", "unknown group", "no matching entries in passwd")


def run_step(
    engine: Engine, container: str, index: int, step: RunStep, volumes: Sequence[str], transcript: Transcript
) -> None:
    """Run a step's command, as often as its retries allow, three seconds apart.

    Raises StageError with the command's exit code, BackendError when buildah itself failed.
    """
    for attempt in range(step.retries + 1):
        try:
            _attempt(engine, container, step, volumes, transcript)
        except StageError as error:
            if attempt == step.retries or error.code not in ("run-failed", "run-timeout"):
                raise
            transcript.retried(index, attempt + 1, error.message)
            engine.runner.sleep(RETRY_PAUSE)
        else:
            return


def _attempt(engine: Engine, container: str, step: RunStep, volumes: Sequence[str], transcript: Transcript) -> None:
    command = commands.run(container, step, engine.isolation, _network(engine, step), volumes)
    output = RunOutput(transcript.line)
    try:
        done = engine.runner.run(command, output.line)
    except CommandTimeoutError as error:
        raise _failed("run-timeout", f"'{step.text}' was {error.message}", step, transcript) from None
    if done.returncode == 0:
        return
    if done.returncode == _OWN_FAULT and not output.exited:
        raise _own_fault(engine, command, done, step, transcript)
    message = f"'{step.text}' ended with exit code {done.returncode}"
    raise _failed("run-failed", message, step, transcript, done.returncode)


def _network(engine: Engine, step: RunStep) -> str:
    """Return buildah's word for a step's network; by default the host's, as a private one costs 200 ms per RUN."""
    network = step.network if step.network not in ("", "default") else "host"
    allowed = networks(engine.isolation.kind)
    if network not in allowed:
        message = f"network '{network}' is not possible under {engine.isolation}, only: {', '.join(allowed)}"
        raise StageError("network-unsupported", message, span=step.span)
    return network


def networks(isolation: str) -> tuple[str, ...]:
    """Return the networks that an isolation allows; chroot refuses any but the host's."""
    return ("host",) if isolation == "chroot" else ("host", "none", "private")


def _own_fault(engine: Engine, command: Command, done: Completed, step: RunStep, transcript: Transcript) -> ZbuildError:
    said = " ".join(done.stderr)
    if any(sign in said for sign in _BAD_USER):
        return _failed("unknown-user", f"the image has no user '{step.user}'", step, transcript)
    return engine.error(command, done)


def _failed(
    code: str, message: str, step: RunStep, transcript: Transcript, returncode: int | None = None
) -> StageError:
    return StageError(
        code, message, span=step.span, returncode=returncode, tail=tuple(transcript.tail), log=transcript.log
    )
