"""Tries what runs a program on this machine: the kinds of isolation, and the OCI runtime without buildah.

`buildah info` names a runtime but does not say that it works (crun refuses hybrid cgroups), so a program is run.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.commands import Isolation
from zbuild.backend.buildah.exit_program import exit_program
from zbuild.backend.buildah.facts import RUNTIMES
from zbuild.backend.buildah.overlay import mount_options
from zbuild.backend.buildah.recorder import RecordingError, record_spec
from zbuild.backend.buildah.runtime_run import RunContainer, Runtime, run_directly
from zbuild.base.errors import BackendError
from zbuild.base.platform import host_platform
from zbuild.model.steps import RunStep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbuild.backend.buildah.oci_spec import Spec
    from zbuild.backend.buildah.overlay import Overlay
    from zbuild.backend.process import Completed, Runner

_PROGRAM = "zbuild-probe"
_STEP = RunStep((f"/{_PROGRAM}",))


class Way(NamedTuple):
    """How a RUN is carried out here: an isolation, and why those before it do not work.

    `template` is buildah's spec of a RUN on the host's network when the runtime works without buildah (see
    `oci_spec.py`); when it does not, `not_direct` says why.
    """

    isolation: Isolation
    failed: tuple[str, ...] = ()
    template: Spec | None = None
    not_direct: str = ""


class TrialContainer(NamedTuple):
    """A working container that holds a program and nothing else; `root` is where it is mounted."""

    name: str
    root: Path


@contextmanager
def trial_container(runner: Runner, name: str) -> Iterator[TrialContainer | None]:
    """Make a container for trials, which is gone in the end; None where no program is known for this machine.

    Raises BackendError when buildah cannot make one.
    """
    program = exit_program(host_platform().architecture)
    if program is None:
        yield None
        return
    try:
        for command in (commands.create(name, commands.SCRATCH), commands.mount(name)):
            done = runner.run(command)
            if done.returncode:
                raise BackendError("buildah-failed", f"buildah does not work here: {' '.join(done.stderr)}")
        container = TrialContainer(name, Path(done.stdout.rstrip("\n")))
        file = container.root / _PROGRAM
        file.write_bytes(program)
        file.chmod(stat.S_IRWXU)
        yield container
    finally:
        runner.run(commands.remove_containers([name]), cleanup=True)


def find_way(runner: Runner, container: TrialContainer | None, runtimes: Sequence[str], runroot: Path) -> Way:
    """Return the first of these that works: a runtime by itself, one through buildah, chroot.

    Raises BackendError when none does.
    """
    if container is None:
        reason = "no test program for this machine"
        return Way(Isolation("chroot"), (f"nothing else was tried: {reason}",), not_direct=f"there is {reason}")
    direct = try_direct(runner, container, runtimes, runroot)
    if direct.template:
        return direct
    failed: list[str] = []
    for candidate in (*(Isolation("oci", runtime) for runtime in runtimes), Isolation("chroot")):
        problem = _problem(runner.run(commands.run(container.name, _STEP, candidate, "host", ())))
        if not problem:
            return Way(candidate, tuple(failed), None, direct.not_direct)
        failed.append(f"{candidate}: {problem}")
    raise BackendError("no-isolation", "no isolation works for RUN: " + "; ".join(failed))


def try_direct(runner: Runner, container: TrialContainer, runtimes: Sequence[str], runroot: Path) -> Way:
    """Find the first runtime that carries out a RUN without buildah; the isolation is chroot where there is none."""
    if not runtimes:
        return Way(Isolation("chroot"), not_direct="there is no OCI runtime")
    failed: list[str] = []
    try:
        template = record_spec(runner, container.name, "host")
        for program in runtimes:
            problem = try_spec(runner, container, template, Runtime(program, runroot))
            if not problem:
                return Way(Isolation("oci", program), tuple(failed), template)
            failed.append(f"{program}: {problem}")
    except (RecordingError, BackendError, OSError) as error:
        failed.append(str(error))
    return Way(Isolation("chroot"), not_direct="; ".join(failed))


def try_spec(runner: Runner, container: TrialContainer, template: Spec, runtime: Runtime) -> str:
    """Return why a runtime cannot run the test program by a spec, "" when it can. Raises BackendError and OSError."""
    place = RunContainer(container.name, container.name, os.fsencode(container.root))
    return _problem(run_directly(runtime, runner, template, place, _STEP, ()))


def try_overlay(runner: Runner, container: TrialContainer, overlay: Overlay, layer: str) -> tuple[str, ...] | None:
    """Return the options of buildah's mount when zbuild can mount the same; afterwards the container is not mounted.

    None, when it is not mounted at all as far as zbuild can tell, or another way. Raises OSError.
    """
    options = mount_options(os.fsencode(container.root))
    if options is None or runner.run(commands.unmount(container.name)).returncode:
        return None
    own = replace(overlay, options=options)
    root = own.mount_container(container.name, layer)
    try:
        same = root is not None and mount_options(root) == options and Path(os.fsdecode(root), _PROGRAM).exists()
        return options if same else None
    finally:
        own.unmount(container.name, layer)


def runtimes(named: str) -> list[str]:
    """Return the paths of the OCI runtimes that are here, that which buildah names first."""
    found = (shutil.which(name) for name in (named, *RUNTIMES) if name)
    return [*dict.fromkeys(filter(None, found))]


def _problem(done: Completed) -> str:
    return " ".join(done.stderr) or f"exit code {done.returncode}" if done.returncode else ""
