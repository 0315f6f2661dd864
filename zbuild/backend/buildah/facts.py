"""What works on this machine: found out once, and remembered until something changes that it hangs on."""

from __future__ import annotations

import json
import os
import resource
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zbuild.base.dataclass import dataclass
from zbuild.base.digest import xxh
from zbuild.base.errors import BackendError

if TYPE_CHECKING:
    from zbuild.backend.buildah.oci_spec import Spec

RUNTIMES = ("crun", "runc")
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

    `template` is buildah's spec of a RUN on the host's network, when the runtime works without buildah (see
    `oci_spec.py`); when it does not, `not_direct` says why. `overlay` holds the options of buildah's mounts, when
    zbuild can mount the same (see `overlay.py`).
    """

    version: str
    graphroot: str
    runroot: str
    driver: str
    isolation: str
    runtime: str
    failed: tuple[str, ...] = ()
    template: Spec | None = None
    not_direct: str = ""
    overlay: tuple[str, ...] | None = None


def recall(memory: Memory) -> Facts | None:
    """Return what was found, None when that must be done again. Raises BackendError for users who cannot mount."""
    if os.geteuid() != 0:
        raise BackendError(
            "not-root", "buildah must be able to mount", hint="run zbuild as root, or in `buildah unshare`"
        )
    return _read(memory.get(_key("probe")) or "")


def remember(memory: Memory, facts: Facts) -> None:
    """Remember what was found."""
    memory.set(_key("probe"), json.dumps(asdict(facts)))


def recall_spec(memory: Memory, network: str) -> Spec | None:
    """Return the spec of a RUN on a network, {} when there is none, None when it must be asked for."""
    spec: Spec | None = json.loads(memory.get(_key(f"spec-{network}")) or "null")
    return spec


def remember_spec(memory: Memory, network: str, spec: Spec) -> None:
    """Remember buildah's spec of a RUN on a network, {} when the runtime cannot run by it."""
    memory.set(_key(f"spec-{network}"), json.dumps(spec))


def _read(text: str) -> Facts | None:
    """Return what was remembered; None for nothing, and for what another version of zbuild wrote."""
    try:
        fields = json.loads(text)
        overlay = None if fields["overlay"] is None else tuple(fields["overlay"])
        return Facts(**{**fields, "failed": tuple(fields["failed"]), "overlay": overlay})
    except (ValueError, TypeError, KeyError):
        return None


def settings_files() -> tuple[str, ...]:
    """Return every file that may say where the store is and how a RUN is isolated, whether it is there or not."""
    own = [path for name in ("CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF") if (path := os.environ.get(name, ""))]
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "containers"
    return (*_SETTINGS, *own, str(home / "storage.conf"), str(home / "containers.conf"))


def _key(what: str) -> str:
    return f"buildah-{what}-{_fingerprint()}"


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
