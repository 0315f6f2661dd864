"""Folders in memory for what must reach no disk: they are zbuild's own user's alone, and gone after their use.

What a killed run leaves there is found by its name: `/dev/shm/<name>.<random>`.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.base.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path("/dev/shm")  # noqa: S108 - every folder in it is made anew, for its owner alone
_MOUNTS = Path("/proc/self/mounts")
_IN_MEMORY = ("tmpfs", "ramfs")


@contextmanager
def memory_folder(name: str) -> Iterator[Path]:
    """Make a folder in memory. Raises BackendError where there is no memory to make it in."""
    if not is_in_memory(_MOUNTS.read_text(encoding="utf-8", errors="replace"), str(_ROOT)):
        message = f"secrets need a place in memory, and {_ROOT} is no tmpfs"
        raise BackendError("no-memory", message, hint=f"mount a tmpfs at {_ROOT}")
    folder = _ROOT / f"{name}.{os.urandom(8).hex()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder in memory, unless something is mounted in it, which would be emptied as well."""
    text = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    if not any(line.split()[1].startswith(f"{folder}/") for line in text.splitlines()):
        shutil.rmtree(folder, ignore_errors=True)


def leftovers(prefix: str) -> dict[Path, str]:
    """Return the folders of dead runs whose names begin with `prefix`, and these names."""
    try:
        found = [entry for entry in os.scandir(_ROOT) if entry.name.startswith(prefix)]
    except OSError:
        return {}
    own = [entry for entry in found if entry.is_dir(follow_symlinks=False) and _is_own(entry)]
    return {Path(entry.path): entry.name.rpartition(".")[0] for entry in own}


def is_in_memory(mounts: str, folder: str) -> bool:
    """Tell by /proc/self/mounts whether a tmpfs is mounted at a folder; of several mounts there, the last counts."""
    lines = [line.split() for line in mounts.splitlines()]
    kinds = [words[2] for words in lines if len(words) > 2 and words[1] == folder]  # noqa: PLR2004 - device, place, kind
    return kinds[-1:] != [] and kinds[-1] in _IN_MEMORY


def _is_own(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_uid == os.geteuid()
    except OSError:
        return False
