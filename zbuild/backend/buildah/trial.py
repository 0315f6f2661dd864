"""Tries what runs a program on this machine: the kinds of isolation, and the OCI runtime without buildah.

`buildah info` names a runtime but does not say that it works (crun refuses hybrid cgroups), so a program is run.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.commands import Isolation
from zbuild.backend.buildah.exit_program import exit_program
from zbuild.backend.buildah.recorder import RecordingError, record_spec
from zbuild.backend.buildah.runtime_run import RunContainer, Runtime, run_directly
from zbuild.base.errors import BackendError
from zbuild.model.steps import RunStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.backend.buildah.oci_spec import Spec
    from zbuild.backend.process import Completed, Runner

RUNTIMES = ("crun", "runc")
# The networks that need nothing set up; buildah makes the others.
_DIRECT_NETWORKS = ("host", "none")
_PROGRAM = "zbuild-probe"
_STEP = RunStep((f"/{_PROGRAM}",))


class Direct(NamedTuple):
    """buildah's specs by network when runs without it work, else none and `problem`."""

    templates: dict[str, Spec]
    problem: str = ""


class TrialContainer(NamedTuple):
    """A working container that holds a program and nothing else; `root` is where it is mounted."""

    name: str
    root: Path


@contextmanager
def trial_container(runner: Runner, name: str) -> Iterator[TrialContainer | None]:
    """Make a container for trials, which is gone in the end; None where no program is known for this machine.

    Raises BackendError when buildah cannot make one.
    """
    program = exit_program(os.uname().machine)
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


def choose_isolation(runner: Runner, container: TrialContainer | None, named: str) -> tuple[Isolation, tuple[str, ...]]:
    """Return the first isolation that works, and why those before it do not; `named` is buildah's own runtime.

    Raises BackendError when none does.
    """
    if container is None:
        return Isolation("chroot"), ("nothing else was tried: no test program for this machine",)
    failed: list[str] = []
    for candidate in _candidates(named):
        problem = _problem(runner.run(commands.run(container.name, _STEP, candidate, "host", ())))
        if not problem:
            return candidate, tuple(failed)
        failed.append(f"{candidate}: {problem}")
    raise BackendError("no-isolation", "no isolation works for RUN: " + "; ".join(failed))


def try_direct(runner: Runner, container: TrialContainer | None, program: str, runroot: Path) -> Direct:
    """Find out whether a runtime can carry out a RUN without buildah."""
    if not program:
        return Direct({}, "there is no OCI runtime that works")
    if container is None:
        return Direct({}, "there is no test program for this machine")
    try:
        templates = {network: record_spec(runner, container.name, network) for network in _DIRECT_NETWORKS}
        for template in templates.values():
            place = RunContainer(container.name, container.name, os.fsencode(container.root))
            done = run_directly(Runtime(program, runroot), runner, template, place, _STEP, ())
            if problem := _problem(done):
                return Direct({}, f"{program}: {problem}")
    except (RecordingError, BackendError, OSError) as error:
        return Direct({}, str(error))
    return Direct(templates)


def _candidates(named: str) -> list[Isolation]:
    runtimes = dict.fromkeys(filter(None, (shutil.which(name) for name in filter(None, (named, *RUNTIMES)))))
    return [*(Isolation("oci", runtime) for runtime in runtimes), Isolation("chroot")]


def _problem(done: Completed) -> str:
    return " ".join(done.stderr) or f"exit code {done.returncode}" if done.returncode else ""
