"""A RUN's mounts made ready: all sources are found, checked and on this machine; and their flags for `buildah run`."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zbuild.model.ops import Pairs

Access: TypeAlias = Literal["ro", "rw", "O"]


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of the host, shown at `target`; with access `O` what is written to it is dropped."""

    source: str
    target: str
    access: Access


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """An empty folder in memory; `size` in bytes, 0 = no limit."""

    target: str
    size: int = 0
    readonly: bool = False


RunMount: TypeAlias = Bind | Tmpfs


@dataclass(frozen=True, slots=True)
class Mounted:
    """What a RUN gets: its mounts, and the secrets that are variables; `memory` is the folder that these may lie in.

    `hidden` are the texts that must not be shown.
    """

    mounts: tuple[RunMount, ...] = ()
    env: Pairs = field(default=(), repr=False)
    hidden: tuple[str, ...] = field(default=(), repr=False)
    memory: Path | None = None


def mount_flags(mounts: Sequence[RunMount]) -> tuple[str, ...]:
    """Return the flags of `buildah run` for mounts. Raises ValueError for a path that these cannot tell."""
    return tuple(flag for mount in mounts for flag in _flags(mount))


def _flags(mount: RunMount) -> tuple[str, ...]:
    match mount:
        case Bind(source, target, access):
            return _volume(source, target, access)
        case Tmpfs():
            return _tmpfs(mount)
        case _:
            assert_never(mount)


def _volume(source: str, target: str, access: Access) -> tuple[str, ...]:
    """`--volume` cannot take a colon, and `--mount` neither a comma nor `O`."""
    if ":" not in source + target:
        return ("--volume", f"{source}:{target}:{access}")
    if "," not in source + target and access != "O":
        return ("--mount", f"type=bind,source={source},target={target},{access}")
    msg = f"cannot mount {source} at {target}: buildah takes no such path"
    raise ValueError(msg)


def _tmpfs(mount: Tmpfs) -> tuple[str, ...]:
    if "," in mount.target:
        msg = f"cannot mount a tmpfs at {mount.target}: buildah takes no ',' there"
        raise ValueError(msg)
    options = [f"tmpfs-size={mount.size}"] if mount.size else []
    options += ["ro"] if mount.readonly else []
    return ("--mount", ",".join(("type=tmpfs", f"target={mount.target}", *options)))
