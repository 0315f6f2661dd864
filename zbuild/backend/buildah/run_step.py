"""Carries out a RUN: retries, its time limit, and what its exit code means."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.container import Container
from zbuild.backend.buildah.direct import fits, goes_direct
from zbuild.backend.buildah.run_mount import mount_flags
from zbuild.backend.buildah.run_output import RunOutput
from zbuild.backend.buildah.runtime_run import RunContainer, run_directly
from zbuild.backend.buildah.secret_env import SecretEnv, with_secret_env
from zbuild.backend.process import CommandTimeoutError
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import StageError
from zbuild.model.image_config import ImageConfig

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.oci_spec import Spec
    from zbuild.backend.buildah.run_mount import Mounted
    from zbuild.backend.buildah.tree import Tree
    from zbuild.backend.transcript import Transcript
    from zbuild.model.steps import RunStep

RETRY_PAUSE = 3.0
_OWN_FAULT = 125
_BAD_USER = ("unknown user", "unknown group", "no matching entries in passwd")


class BaseSettings(NamedTuple):
    """What a stage's base brings into its RUNs: its configuration, name and id; nothing for scratch."""

    config: ImageConfig = ImageConfig()
    name: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A RUN to be carried out in a working container or a tree, whose image was made with `base`.

    `hostname` is what the machine is to be called in it, "" for a name that is new each time.
    """

    engine: Engine
    container: Container | Tree
    base: BaseSettings
    step: RunStep
    mounted: Mounted
    transcript: Transcript
    hostname: str = ""


def run_step(run: Run, index: int) -> None:
    """Run a step's command, as often as its retries allow, three seconds apart.

    Raises StageError with the command's exit code, BackendError when buildah itself failed.
    """
    for attempt in range(run.step.retries + 1):
        try:
            _attempt(run)
        except StageError as error:
            if attempt == run.step.retries or error.code not in ("run-failed", "run-timeout"):
                raise
            run.transcript.retried(index, attempt + 1, error.message)
            run.engine.runner.sleep(RETRY_PAUSE)
        else:
            return


def _attempt(run: Run) -> None:
    network = _network(run.engine, run.step)
    direct = goes_direct(run.engine.facts) and fits(run.step, run.mounted.mounts)
    template = run.engine.template(network) if direct else None
    try:
        returncode = _by_runtime(run, template) if template else _by_buildah(run, network)
    except CommandTimeoutError as error:
        raise _failed("run-timeout", f"'{run.step.text}' was {error.message}", run) from None
    if returncode:
        raise _failed("run-failed", f"'{run.step.text}' ended with exit code {returncode}", run, returncode)


def _by_runtime(run: Run, template: Spec) -> int:
    engine, container, base = run.engine, run.container, run.base
    place = RunContainer(
        container.name,
        container.id,
        container.root,
        base.config.env,
        base.config.user,
        base.name,
        base.image_id,
        engine.facts.version,
        run.hostname,
    )
    runtime, step = engine.runtime, run.step
    if run.mounted.memory and run.mounted.env:
        # The spec holds the secrets, and runtimes keep copies of it with their state.
        runtime = replace(runtime, runroot=run.mounted.memory)
        step = replace(step, env=(*step.env, *run.mounted.env))
    try:
        return run_directly(
            runtime, engine.runner, template, place, step, run.mounted.mounts, run.transcript.line
        ).returncode
    except LookupError:
        raise _unknown_user(run) from None


def _by_buildah(run: Run, network: str) -> int:
    engine, container = run.engine, run.container
    assert isinstance(container, Container)  # noqa: S101 - trees are only made where no step needs buildah
    try:
        flags = mount_flags(run.mounted.mounts)
    except ValueError as error:
        raise StageError("bad-mount", str(error), span=run.step.span) from None
    output = RunOutput(run.transcript.line)
    container.drop_volumes(run.base.config)
    with _with_secrets(run) as way, container.lent():
        command = commands.run(container.name, run.step, way.isolation, network, flags, run.hostname)
        command = replace(command, env=way.env)
        done = engine.runner.run(command, output.line)
    if done.returncode == _OWN_FAULT and not output.exited:
        done = replace(done, stderr=tuple(map(run.transcript.hidden, done.stderr)))
        said = " ".join(done.stderr)
        raise _unknown_user(run) if any(sign in said for sign in _BAD_USER) else engine.error(command, done)
    return done.returncode


def _with_secrets(run: Run) -> AbstractContextManager[SecretEnv]:
    """Return how buildah is called so that the command gets the secrets that are variables."""
    isolation, mounted = run.engine.isolation, run.mounted
    if not mounted.env or mounted.memory is None:
        return nullcontext(SecretEnv(isolation, ()))
    if not isolation.runtime:
        message = f"secrets as variables are not possible under {isolation}"
        raise StageError("secret-unsupported", message, span=run.step.span, hint="mount them as files, without 'env'")
    return with_secret_env(isolation, mounted.env, mounted.memory)


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


def _unknown_user(run: Run) -> StageError:
    return _failed("unknown-user", f"the image has no user '{run.step.user or run.base.config.user}'", run)


def _failed(code: str, message: str, run: Run, returncode: int | None = None) -> StageError:
    transcript = run.transcript
    return StageError(
        code, message, span=run.step.span, returncode=returncode, tail=tuple(transcript.tail), log=transcript.log
    )
