"""`.zbuild/`, the folder beside `zbuild.yaml` in which everything that outlives a run is kept."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import StateError
from zbuild.base.files import TEMPORARY, write_whole
from zbuild.state.faults import state_fault

if TYPE_CHECKING:
    from pathlib import Path

NAME = ".zbuild"
_SUBFOLDERS = ("stat", "plan", "logs", "mounts", "fetched", "transfers")
# The signature is fixed by the Cache Directory Tagging Specification, https://bford.info/cachedir/
_CACHEDIR_TAG = b"""Signature: 8a477f597d28d172789f06886806bc55
# This folder is zbuild's. It can be deleted at any time: the next build is slower, never wrong.
"""


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder and what lies in it. Everything in it can be deleted at any time."""

    path: Path

    @classmethod
    def open(cls, root: Path) -> StateFolder:
        """Return the state folder of a workspace, making whatever of it is missing, for this user alone (0700).

        Raises StateError when it cannot be made, or is a link: a checkout could point one anywhere.
        """
        folder = cls(root / NAME)
        if folder.path.is_symlink():
            raise StateError("state-link", f"{folder.path} is a link", hint="remove it; zbuild makes a folder there")
        try:
            folder._make()
        except OSError as error:
            raise state_fault(error, folder.path) from error
        return folder

    def _make(self) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)
        for name in _SUBFOLDERS:
            (self.path / name).mkdir(mode=0o700, exist_ok=True)
        for name, data in ((".gitignore", b"*\n"), ("CACHEDIR.TAG", _CACHEDIR_TAG)):
            if not (self.path / name).exists():
                atomic_write(self.path / name, data)

    @property
    def stat(self) -> Path:
        """The folder of stat columns, one file per context."""
        return self.path / "stat"

    @property
    def plan(self) -> Path:
        """The folder of cached plans."""
        return self.path / "plan"

    @property
    def logs(self) -> Path:
        """The folder of the stages' logs."""
        return self.path / "logs"

    @property
    def mounts(self) -> Path:
        """The folder of what is mounted into RUNs."""
        return self.path / "mounts"

    @property
    def fetched(self) -> Path:
        """The folder of what ADD fetched from other machines."""
        return self.path / "fetched"

    @property
    def transfers(self) -> Path:
        """The folder of what is on its way to remote caches, or from there; empty between runs."""
        return self.path / "transfers"

    @property
    def lock(self) -> Path:
        """The file that the workspace's lock is taken on."""
        return self.path / "lock"

    @property
    def database(self) -> Path:
        """The database of records."""
        return self.path / "state.db"

    def sweep(self) -> None:
        """Remove what killed processes left: temporary files, and what was on its way. That of living ones stays."""
        for path in self.transfers.iterdir():
            if not _writer_lives(path.name):
                shutil.rmtree(path, ignore_errors=True)
        for folder in (self.path, *(self.path / name for name in _SUBFOLDERS)):
            for path in folder.glob(f".*{TEMPORARY}"):
                if _writer_lives(path.name):
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                path.unlink(missing_ok=True)


def _writer_lives(name: str) -> bool:
    pid = name.removesuffix(TEMPORARY).rpartition(".")[2].partition("-")[0]
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def atomic_write(path: Path | str, data: bytes, mode: int = 0o600) -> None:
    """Replace a file's content, whole or not at all (see `base.files`, also for `mode`).

    Raises StateError, naming the path: disk-full, state-read-only or state-io.
    """
    try:
        write_whole(path, data, mode)
    except OSError as error:
        raise state_fault(error, path) from error


def keep_newest(folder: Path, suffix: str, count: int) -> None:
    """Remove all but the newest `count` files of a folder whose names end so. What cannot be removed stays."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        found = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if entry.name.endswith(suffix)]
        for _, path in sorted(found, reverse=True)[count:]:
            os.unlink(path)  # noqa: PTH108 - scandir gives texts
