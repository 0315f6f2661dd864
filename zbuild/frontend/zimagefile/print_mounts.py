"""Mounts as a ZImagefile has them, under `cache` and `mounts` of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount

if TYPE_CHECKING:
    from collections.abc import Mapping

Yaml = dict[str, Any]

_OF_CACHES = frozenset({"type", "target", "id", "sharing", "readonly"})


def mount_words(mount: CacheMount | BindMount | TmpfsMount | SecretMount | SshMount, path: str) -> dict[str, str]:
    """Return the words of a mount by their keys; `path` is what it shows of its source, as it is to be written."""
    words = {"target": mount.target}
    if isinstance(mount, CacheMount | BindMount):
        words |= {"from": mount.source, "source": "" if path == "/" else path}
    if isinstance(mount, CacheMount | SecretMount | SshMount):
        words["id"] = mount.id
    if isinstance(mount, SecretMount):
        words["env"] = mount.env
    return words


def mount_keys(mount: CacheMount | BindMount | TmpfsMount | SecretMount | SshMount, words: Mapping[str, str]) -> Yaml:
    """Return a mount's keys; `words` are its words as plain texts."""
    match mount:
        case CacheMount():
            sharing = "" if mount.sharing == "shared" else mount.sharing
            rest: Yaml = {"sharing": sharing, "readonly": mount.readonly, **_owned(mount, "")}
        case BindMount():
            rest = {"readwrite": mount.readwrite}
        case TmpfsMount():
            rest = {"size": mount.size, "readonly": mount.readonly}
        case SecretMount():
            rest = {"required": mount.required, **_owned(mount, "0400")}
        case SshMount():
            words = {**words, "id": "" if mount.id == "default" else words["id"]}
            rest = {"required": mount.required, **_owned(mount, "0600")}
        case _:
            assert_never(mount)
    kind = type(mount).__name__.removesuffix("Mount").lower()
    return {name: value for name, value in {"type": kind, **words, **rest}.items() if value}


def is_plain_cache(mount: Yaml) -> bool:
    """Say whether a mount is a cache that `cache` has all keys for."""
    return mount["type"] == "cache" and mount.keys() <= _OF_CACHES


def without_type(mount: Yaml) -> Yaml:
    """Return a mount without its type."""
    return {name: value for name, value in mount.items() if name != "type"}


def _owned(mount: CacheMount | SecretMount | SshMount, mode: str) -> Yaml:
    return {"mode": "" if mount.mode == mode else mount.mode, "uid": mount.uid, "gid": mount.gid}
