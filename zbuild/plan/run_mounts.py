"""The mounts of a RUN with their words expanded, and the image's default cache mounts merged in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zbuild.model.mounts import Mount

    Word = Callable[[str], str]


def run_mounts(
    mounts: Sequence[Mount], defaults: Sequence[CacheMount], word: Word, absolute: Word
) -> tuple[Mount, ...]:
    """Return the mounts of one RUN: its own, then the defaults whose targets it does not mount itself.

    `word` expands variables, `absolute` resolves a path against the working directory.
    """
    own = tuple(_expanded(mount, word, absolute) for mount in mounts)
    taken = {mount.target for mount in own}
    added = (_expanded(mount, word, absolute) for mount in defaults)
    return (*own, *(mount for mount in added if mount.target not in taken))


def _expanded(mount: Mount, word: Word, absolute: Word) -> Mount:
    target = absolute(word(mount.target)) if mount.target else ""
    match mount:
        case CacheMount():
            return replace(mount, target=target, id=word(mount.id) or target)
        case BindMount():
            return replace(mount, target=target, path=word(mount.path))
        case TmpfsMount():
            return replace(mount, target=target)
        case SecretMount() | SshMount():
            return replace(mount, target=target, id=word(mount.id))
        case _:
            assert_never(mount)
