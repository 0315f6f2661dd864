"""The mounts of a RUN with their words expanded, and the image's default cache mounts merged in."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from zbuild.model.mounts import (
    AGENT_SOCKET,
    SECRETS_FOLDER,
    BindMount,
    CacheMount,
    SecretMount,
    SshMount,
    TmpfsMount,
    UnreadMount,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from zbuild.model.mounts import Mount, WrittenMount

    Word = Callable[[str], str]


def run_mounts(
    mounts: Sequence[WrittenMount], defaults: Sequence[CacheMount], word: Word, absolute: Word
) -> tuple[Mount, ...]:
    """Return the mounts of one RUN: its own, then the defaults whose targets it does not mount itself.

    `word` expands variables, `absolute` resolves a path against the working directory. Only a secret that is a
    variable alone has no target. Raises ValueError for what is no mount once its variables are expanded.
    """
    own = tuple(_numbered(_expanded(mount, word, absolute) for mount in mounts))
    taken = {mount.target for mount in own}
    added = (_expanded(mount, word, absolute) for mount in defaults)
    found = (*own, *(mount for mount in added if mount.target not in taken))
    if any(mount.target == "/" for mount in found):
        raise ValueError("a mount cannot be at '/'")
    return found


def agent_socket(mounts: Sequence[Mount]) -> str:
    """Return where a run finds its first agent; "" when it has none."""
    return next((mount.target for mount in mounts if isinstance(mount, SshMount)), "")


def _expanded(mount: WrittenMount, word: Word, absolute: Word) -> Mount:
    match mount:
        case CacheMount():
            target, path = word(mount.target), word(mount.path)
            name = word(mount.id) or posixpath.normpath(target)  # by the target as it is given, as BuildKit does
            return replace(mount, target=absolute(target), id=name, path=path)
        case BindMount():
            return replace(mount, target=absolute(word(mount.target)), path=word(mount.path))
        case TmpfsMount():
            return replace(mount, target=absolute(word(mount.target)))
        case SecretMount():
            return _secret(mount, word, absolute)
        case SshMount():
            target = word(mount.target)
            return replace(mount, target=absolute(target) if target else "", id=word(mount.id) or "default")
        case UnreadMount(options):
            return _expanded(_read(options, word), lambda text: text, absolute)
        case _:
            assert_never(mount)


def _secret(mount: SecretMount, word: Word, absolute: Word) -> SecretMount:
    target, name, env = word(mount.target), word(mount.id), word(mount.env)
    name = name or posixpath.basename(target)
    if not name:
        raise ValueError("a secret has no name")
    if not target and not env:
        target = f"{SECRETS_FOLDER}/{posixpath.basename(name)}"
    return replace(mount, target=absolute(target) if target else "", id=name, env=env)


def _read(options: Sequence[tuple[str, str]], word: Word) -> Mount:
    """Read the options of a mount that are known only now. Raises ValueError."""
    from zbuild.frontend.dockerfile.mounts import read_options  # noqa: PLC0415 - few mounts have such options

    return read_options(tuple((name, value if name == "from" else word(value)) for name, value in options))


def _numbered(mounts: Iterator[Mount]) -> Iterator[Mount]:
    """Give agents without a place the one that their number among the agents makes."""
    number = 0
    for mount in mounts:
        if isinstance(mount, SshMount):
            yield mount if mount.target else replace(mount, target=f"{AGENT_SOCKET}.{number}")
            number += 1
        else:
            yield mount
