"""Mounts of a RUN: a closed union. Texts are words, as in `ops`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Sharing: TypeAlias = Literal["shared", "private", "locked"]


@dataclass(frozen=True, slots=True)
class CacheMount:
    """A folder that lives on between builds. `id` "" means: named by its target. `mode` is octal digits, "" = 0755."""

    target: str
    id: str = ""
    sharing: Sharing = "shared"
    readonly: bool = False
    mode: str = ""
    uid: int = 0
    gid: int = 0


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


@dataclass(frozen=True, slots=True)
class SecretMount:
    """A secret as a file or, with `env`, as a variable. Only the id is part of a key."""

    id: str
    target: str = ""
    env: str = ""
    required: bool = False
    mode: str = "0400"
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class SshMount:
    """An agent's socket. Only the id is part of a key."""

    id: str = "default"
    target: str = ""
    required: bool = False


Mount: TypeAlias = CacheMount | BindMount | TmpfsMount | SecretMount | SshMount
