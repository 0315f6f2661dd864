"""Plans and other costly values, kept under a name that holds the hash of all they were made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.sealed import read_sealed, seal
from zbuild.state.folder import atomic_write, keep_newest

if TYPE_CHECKING:
    from zbuild.state.folder import StateFolder

_KIND = "plan"
_KEPT = 64  # values of one kind: each command line, and each version of zbuild, has its own


def save(folder: StateFolder, name: str, value: object) -> None:
    """Keep a value of plain builtin types (see `codec` for others) as `plan/NAME`, atomically.

    Of those whose names have the same suffix, the newest are kept.

    Raises StateError when it cannot be written, ValueError for values that marshal cannot hold.
    """
    atomic_write(folder.plan / name, seal(_KIND, value))
    path = folder.plan / name
    if path.suffix:
        keep_newest(folder.plan, path.suffix, _KEPT)


def load(folder: StateFolder, name: str) -> object | None:
    """Return the value kept as `plan/NAME`, or None when there is none or it is damaged or another version's."""
    return read_sealed(_KIND, str(folder.plan / name))
