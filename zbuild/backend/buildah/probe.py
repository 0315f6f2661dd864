"""Finds out once what works on this machine: where the storage is, and what really runs a program (see `trial.py`)."""

from __future__ import annotations

import json
import os
import resource
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.commands import Isolation
from zbuild.backend.buildah.trial import RUNTIMES, choose_isolation, trial_container, try_direct
from zbuild.base.digest import xxh
from zbuild.base.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.backend.buildah.oci_spec import Spec
    from zbuild.backend.process import Runner

ISOLATION_VARIABLE = "ZBUILD_ISOLATION"
# What decides which storage.conf is read, and what it can be overruled by (containers-storage.conf(5)).
_STORAGE_VARIABLES = (
    "CONTAINERS_STORAGE_CONF",
    "STORAGE_DRIVER",
    "STORAGE_OPTS",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
)
_RUN_VARIABLES = ("CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE", "TMPDIR", ISOLATION_VARIABLE)
# What the storage and the spec of a RUN are made of (containers.conf(5), containers-mounts.conf(5), oci-hooks(5)).
_SETTINGS = tuple(
    f"{folder}/containers/{name}"
    for folder in ("/etc", "/usr/share")
    for name in ("storage.conf", "containers.conf", "containers.conf.d", "seccomp.json", "mounts.conf", "oci/hooks.d")
)
_LIMITS = (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)


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
    """What was found: buildah's version, the storage, the isolation that works, and why others do not.

    `templates` holds buildah's specs of a RUN by network, when the runtime works without buildah (see `oci_spec.py`);
    when it does not, `not_direct` says why.
    """

    version: str
    graphroot: str
    runroot: str
    driver: str
    isolation: str
    runtime: str
    failed: tuple[str, ...] = ()
    templates: dict[str, Spec] = field(default_factory=dict)
    not_direct: str = ""


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


def settings_files() -> tuple[str, ...]:
    """Return every file that may say where the store is and how a RUN is isolated, whether it is there or not."""
    own = [path for name in ("CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF") if (path := os.environ.get(name, ""))]
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "containers"
    return (*_SETTINGS, *own, str(home / "storage.conf"), str(home / "containers.conf"))


def _fingerprint() -> str:
    programs = [path for name in ("buildah", *RUNTIMES) if (path := shutil.which(name))]
    files = [*programs, *settings_files()]
    variables = [os.environ.get(name) for name in (*_STORAGE_VARIABLES, *_RUN_VARIABLES)]
    return xxh((*map(_identity, files), *variables, *map(resource.getrlimit, _LIMITS)))


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
    found: dict[str, Any] = json.loads(info.stdout)
    store = found["store"]
    with trial_container(runner, new_name()) as container:
        isolation, failed = _asked() or choose_isolation(runner, container, found["host"].get("OCIRuntime") or "")
        direct = try_direct(runner, container, isolation.runtime, Path(store["RunRoot"]))
    words = version.stdout.split()
    return Facts(
        words[2] if len(words) > 2 else "",  # noqa: PLR2004 - "buildah version 1.28.2 (…)"
        store["GraphRoot"],
        store["RunRoot"],
        store["GraphDriverName"],
        isolation.kind,
        isolation.runtime,
        failed,
        direct.templates,
        direct.problem,
    )


def _asked() -> tuple[Isolation, tuple[str, ...]] | None:
    kind, _, runtime = os.environ.get(ISOLATION_VARIABLE, "").partition(":")
    return (Isolation(kind, runtime), ()) if kind else None
