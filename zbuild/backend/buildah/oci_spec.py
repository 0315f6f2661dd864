"""The OCI runtime spec of a RUN (runtime-spec config.md), made of the one that buildah writes on this machine.

What buildah writes depends on its version (limits, masked paths), on how it was built (the seccomp profile), on
containers.conf and on the host. So the probe records one of buildah's own specs, the *template*, and only what differs
from RUN to RUN is put in its place. A template with parts that are not known here is not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from zbuild.backend.buildah.run_mount import Bind, Tmpfs
from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zbuild.backend.buildah.run_mount import RunMount
    from zbuild.backend.buildah.run_user import RunUser
    from zbuild.model.ops import Pairs
    from zbuild.model.steps import RunStep

Spec: TypeAlias = dict[str, Any]

HOST_FILES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv")
_KNOWN = {
    "": {"ociVersion", "process", "root", "hostname", "mounts", "linux"},
    "process.": {
        *("user", "args", "env", "cwd", "capabilities", "rlimits"),
        *("noNewPrivileges", "oomScoreAdj", "apparmorProfile"),
    },
    "linux.": {"resources", "namespaces", "maskedPaths", "readonlyPaths", "seccomp", "sysctl", "devices"},
}
_NAMESPACES = {"pid", "ipc", "uts", "mount", "network", "cgroup"}


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where a RUN runs: its root on this machine, the host's name in it, and the files for `HOST_FILES`, by target."""

    root: str
    hostname: str
    user: RunUser
    files: Mapping[str, str]


def unknown_part(template: Spec) -> str:
    """Name what a template holds that `runtime_spec` would not get right; "" for nothing."""
    for prefix, known in _KNOWN.items():
        part = template[prefix.rstrip(".")] if prefix else template
        unknown: list[str] = sorted(key for key in set(part) - known if part[key])
        if unknown:
            return prefix + unknown[0]
    for namespace in template["linux"]["namespaces"]:
        if namespace["type"] not in _NAMESPACES or namespace.get("path"):
            return f"a {namespace['type']} namespace"
    for mount in template["mounts"]:
        if "bind" in mount["type"] and mount["destination"] not in HOST_FILES:
            return f"a mount at {mount['destination']}"
    return ""


def runtime_spec(template: Spec, step: RunStep, env: Pairs, mounts: Sequence[RunMount], place: RunPlace) -> Spec:
    """Return the spec of a step; `env` is what its image sets, which the step's own env overrules."""
    user = place.user
    process = {
        **template["process"],
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
        "args": list(step.argv),
        "env": _env(template["process"]["env"], (*step.proxies, *env, *step.env), place.hostname),
        "cwd": step.workdir,
    }
    return {
        **template,
        "process": process,
        "root": {"path": place.root},
        "hostname": place.hostname,
        "mounts": _mounts(template["mounts"], mounts, place.files),
    }


def _env(template: Sequence[str], env: Pairs, hostname: str) -> list[str]:
    """Let later settings win, each at the place of the first one of its name; the host's name counts least."""
    defaults = dict(entry.split("=", 1) for entry in template)
    defaults.pop("HOSTNAME", None)
    settings = {**defaults, **dict(env)}
    settings.setdefault("HOSTNAME", hostname)
    return [f"{name}={value}" for name, value in settings.items()]


def _mounts(template: Sequence[Spec], own: Sequence[RunMount], files: Mapping[str, str]) -> list[Spec]:
    """Put a step's mounts among the template's, the highest places first; at one place the step's counts."""
    taken = {mount.target for mount in own}
    kept = [_with_source(mount, files) for mount in template if mount["destination"] not in taken]
    return sorted([*kept, *map(_mount, own)], key=lambda mount: len(mount["destination"].strip("/").split("/")))


def _with_source(mount: Spec, files: Mapping[str, str]) -> Spec:
    destination = mount["destination"]
    return {**mount, "source": files[destination]} if destination in files else mount


def _mount(mount: RunMount) -> Spec:
    match mount:
        case Bind(source, target, access):
            return {"destination": target, "type": "bind", "source": source, "options": [access, "private", "rbind"]}
        case Tmpfs(target, size, readonly):
            options = ["ro" if readonly else "rw", "private", *([f"size={size}"] if size else [])]
            return {"destination": target, "type": "tmpfs", "source": "tmpfs", "options": options}
        case _:
            assert_never(mount)
