"""What was found out about this machine, kept for all workspaces of a user: a fresh clone need not probe again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

from zbuild.base.errors import StateError
from zbuild.state.folder import atomic_write

if TYPE_CHECKING:
    from zbuild.state.records import Memory


class MachineMemory:
    """Texts by name, a file each, in the user's cache folder; where that cannot be written, in the workspace's state.

    Everything in it can be deleted at any time: what is missing is found out again.
    """

    def __init__(self, workspace: Memory, folder: Path | None = None) -> None:
        self._workspace = workspace
        self._folder = folder or _cache_folder()

    def get(self, key: str) -> str | None:
        """Return the text of that name."""
        try:
            return self._file(key).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return self._workspace.get(key)

    def set(self, key: str, value: str) -> None:
        """Keep a text under a name, in the place of what was there."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic_write(self._file(key), value.encode())
        except (OSError, StateError):
            self._workspace.set(key, value)

    def _file(self, key: str) -> Path:
        return self._folder / xxhash.xxh3_64_hexdigest(key.encode())


def _cache_folder() -> Path:
    """Return the folder for this user's caches (XDG base directory specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "zbuild"
