"""Finds out once what works on this machine: where the storage is, and which isolation really runs a program.

`buildah info` names a runtime but does not say that it works (crun refuses hybrid cgroups), so a program is run.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.commands import Isolation
from zbuild.backend.buildah.exit_program import exit_program
from zbuild.base.digest import xxh
from zbuild.base.errors import BackendError
from zbuild.model.steps import RunStep

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.backend.process import Runner

ISOLATION_VARIABLE = "ZBUILD_ISOLATION"
_RUNTIMES = ("crun", "runc")
_PROBE = "zbuild-probe"
# What decides which storage.conf is read, and what it can be overruled by (containers-storage.conf(5)).
_STORAGE_VARIABLES = (
    "CONTAINERS_STORAGE_CONF",
    "STORAGE_DRIVER",
    "STORAGE_OPTS",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
)
_SETTINGS = tuple(
    f"{folder}/containers/{name}.conf" for folder in ("/etc", "/usr/share") for name in ("storage", "containers")
)


class Memory(Protocol):
    """Remembers texts between runs."""

    def get(self, key: str) -> str | None:
        """Return what was set under a key."""
        ...

    def set(self, key: str, value: str) -> None:
        """Remember a value."""
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found: buildah's version, the storage, the isolation that works, and why others do not."""

    version: str
    graphroot: str
    driver: str
    isolation: str
    runtime: str
    failed: tuple[str, ...] = ()


def probe(runner: Runner, memory: Memory, new_name: Callable[[], str]) -> Facts:
    """Return what works here, from memory where nothing it hangs on has changed.

    `new_name` names a working container. Raises BackendError when buildah is missing or unusable.
    """
    if os.geteuid() != 0:
        raise BackendError(
            "not-root", "buildah must be able to mount", hint="run zbuild as root, or in `buildah unshare`"
        )
    key = f"buildah-probe-{_fingerprint()}"
    if remembered := _read(memory.get(key) or ""):
        return remembered
    facts = _probe(runner, new_name)
    memory.set(key, json.dumps(asdict(facts)))
    return facts


def _read(text: str) -> Facts | None:
    """Return what was remembered; None for nothing, and for what another version of zbuild wrote."""
    try:
        fields = json.loads(text)
        return Facts(**{**fields, "failed": tuple(fields["failed"])})
    except (ValueError, TypeError, KeyError):
        return None


def _fingerprint() -> str:
    programs = [shutil.which(name) or "" for name in ("buildah", *_RUNTIMES)]
    config = os.environ.get("CONTAINERS_STORAGE_CONF", "")
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "containers/storage.conf"
    files = [*programs, *_SETTINGS, config, str(home)]
    variables = [os.environ.get(name) for name in (*_STORAGE_VARIABLES, ISOLATION_VARIABLE)]
    return xxh((*(_identity(file) for file in files), *variables))


def _identity(path: str) -> tuple[str, int, int]:
    try:
        found = Path(path).stat()
    except OSError:
        return (path, 0, 0)
    return (path, found.st_size, found.st_mtime_ns)


def _probe(runner: Runner, new_name: Callable[[], str]) -> Facts:
    version = runner.run(commands.version())
    info = runner.run(commands.info())
    if info.returncode:
        raise BackendError("buildah-failed", f"buildah does not work here: {' '.join(info.stderr)}")
    found = json.loads(info.stdout)
    isolation, failed = _choose(runner, new_name, str(found["host"].get("OCIRuntime") or ""))
    store = found["store"]
    words = version.stdout.split()
    return Facts(
        words[2] if len(words) > 2 else "",  # noqa: PLR2004 - "buildah version 1.28.2 (…)"
        store["GraphRoot"],
        store["GraphDriverName"],
        isolation.kind,
        isolation.runtime,
        failed,
    )


def _choose(runner: Runner, new_name: Callable[[], str], named: str) -> tuple[Isolation, tuple[str, ...]]:
    """Return the first isolation that works, and why those before it do not."""
    asked = os.environ.get(ISOLATION_VARIABLE, "")
    if asked:
        kind, _, runtime = asked.partition(":")
        return Isolation(kind, runtime), ()
    program = exit_program(os.uname().machine)
    if program is None:
        return Isolation("chroot"), ("nothing else was tried: no test program for this machine",)
    failed: list[str] = []
    for candidate in _candidates(named):
        problem = _try(runner, new_name(), candidate, program)
        if not problem:
            return candidate, tuple(failed)
        failed.append(f"{candidate}: {problem}")
    raise BackendError("no-isolation", "no isolation works for RUN: " + "; ".join(failed))


def _candidates(named: str) -> list[Isolation]:
    runtimes = dict.fromkeys(filter(None, (shutil.which(name) for name in filter(None, (named, *_RUNTIMES)))))
    return [*(Isolation("oci", runtime) for runtime in runtimes), Isolation("chroot")]


def _try(runner: Runner, container: str, isolation: Isolation, program: bytes) -> str:
    """Run the program in a scratch container. Returns what went wrong, "" for nothing."""
    try:
        for command in (commands.create(container, commands.SCRATCH), commands.mount(container)):
            done = runner.run(command)
            if done.returncode:
                return " ".join(done.stderr)
        file = Path(done.stdout.rstrip("\n")) / _PROBE
        file.write_bytes(program)
        file.chmod(stat.S_IRWXU)
        done = runner.run(commands.run(container, RunStep((f"/{_PROBE}",)), isolation, "host", ()))
        return " ".join(done.stderr) or f"exit code {done.returncode}" if done.returncode else ""
    finally:
        runner.run(commands.remove_containers([container]), cleanup=True)
