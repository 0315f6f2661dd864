"""Mounts of a RUN: a closed union. Texts are words, as in `ops`.

A target is relative to WORKDIR; "" is that folder itself, but secrets and agents then have places of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypeGuard

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from zbuild.model.ops import Pairs

Sharing: TypeAlias = Literal["shared", "private", "locked"]

SECRETS_FOLDER = "/run/secrets"
AGENT_SOCKET = "/run/buildkit/ssh_agent"  # followed by a number


@dataclass(frozen=True, slots=True)
class CacheMount:
    """A folder that lives on between builds. `id` "" means: named by its target. `mode` is octal digits, "" = 0755.

    With `source` (stage, image) a new one begins with what is at `path` there.
    """

    target: str
    id: str = ""
    sharing: Sharing = "shared"
    readonly: bool = False
    mode: str = ""
    uid: int = 0
    gid: int = 0
    source: str = ""
    path: str = "/"


@dataclass(frozen=True, slots=True)
class BindMount:
    """A folder or file of the context, or of `source` (stage, image), visible during the run."""

    target: str
    path: str = "/"
    source: str = ""
    readwrite: bool = False


@dataclass(frozen=True, slots=True)
class TmpfsMount:
    """An empty folder in memory. `size` in bytes, 0 = no limit."""

    target: str
    size: int = 0
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class SecretMount:
    """A secret as a file or, with `env`, as a variable; as both when there is a `target`, too.

    `id` "" means: named by its target's last part; `target` "" is in /run/secrets. Only the id is part of a key.
    """

    id: str = ""
    target: str = ""
    env: str = ""
    required: bool = False
    mode: str = "0400"
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class SshMount:
    """An agent's socket; `target` "" is BuildKit's place for it. Only the id is part of a key."""

    id: str = "default"
    target: str = ""
    required: bool = False
    mode: str = "0600"
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class UnreadMount:
    """A mount whose type, numbers or switches hold variables: it is read once these are expanded.

    `options` are as written, by their full names; `source` is what its `from` names.
    """

    options: Pairs
    source: str = ""


Mount: TypeAlias = CacheMount | BindMount | TmpfsMount | SecretMount | SshMount
WrittenMount: TypeAlias = Mount | UnreadMount


def mount_source(mount: WrittenMount) -> str:
    """Return the stage or image that a mount shows files of; "" for none, or the context."""
    return mount.source if isinstance(mount, CacheMount | BindMount | UnreadMount) else ""


def shows_files(mount: Mount) -> TypeGuard[CacheMount | BindMount]:
    """Tell whether a mount shows, or begins with, files of a stage, an image or the context."""
    return isinstance(mount, BindMount) or (isinstance(mount, CacheMount) and bool(mount.source))
