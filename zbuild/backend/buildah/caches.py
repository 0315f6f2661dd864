"""The folders of cache mounts, which live on between builds in the workspace's `.zbuild/mounts`.

A cache's id becomes a hash, so that `../..` names no folder of the host (CVE-2024-9675).
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from zbuild.backend.cache_folders import note_use
from zbuild.backend.copying import copy_step
from zbuild.backend.rootfs import Rootfs
from zbuild.base.dataclass import dataclass
from zbuild.base.digest import xxh
from zbuild.model.steps import CopyStep, Selection, StageOrigin

if TYPE_CHECKING:
    from zbuild.backend.process import Runner
    from zbuild.model.mounts import CacheMount

_LOCK_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Seed:
    """What a new cache begins with: the folder it is copied from, and a name for what is there."""

    name: str
    folder: bytes


@dataclass(frozen=True, slots=True)
class Caches:
    """The caches of a workspace, in `folder`."""

    folder: Path
    runner: Runner

    def open(self, mount: CacheMount, seed: Seed | None, stack: ExitStack) -> Path:
        """Return a cache's folder, which stays locked as its sharing says until the stack is left.

        Raises OSError, and what `copy_step` does for a seed.
        """
        identity = mount.id if seed is None else (mount.id, seed.name, mount.path)
        folder = self.folder / xxh(identity)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        match mount.sharing:
            case "shared":
                pass
            case "locked":
                self._wait(folder, stack)
            case "private":
                others = (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(1))
                folder = next(free for free in itertools.chain([folder], others) if _lock(free, stack))
            case _:
                assert_never(mount.sharing)
        if not folder.is_dir():
            with ExitStack() as making:
                self._wait(folder.with_name(f"{folder.name}.new"), making)
                if not folder.is_dir():
                    self._make(folder, mount, seed)
        note_use(folder, mount.id if seed is None else f"{mount.id}, begun with {mount.path} of {seed.name}")
        return folder

    def _wait(self, folder: Path, stack: ExitStack) -> None:
        while not _lock(folder, stack):
            self.runner.sleep(_LOCK_POLL)

    def _make(self, folder: Path, mount: CacheMount, seed: Seed | None) -> None:
        """Make a cache whole before it has its name: a run that is killed leaves none that is half filled."""
        new = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        if seed is not None:
            self._fill(new, seed.folder)
        if seed is None or mount.mode or mount.uid or mount.gid:
            os.chown(new, mount.uid, mount.gid)
            new.chmod(int(mount.mode or "0755", 8))
        new.rename(folder)

    def _fill(self, new: Path, seed: bytes) -> None:
        everything = CopyStep(StageOrigin(""), Selection((".",)), "/")
        with Rootfs(os.fsencode(new)) as root:
            copy_step(root, everything, seed, self.runner.check)
        found = Path(os.fsdecode(seed)).stat()
        os.chown(new, found.st_uid, found.st_gid)
        new.chmod(stat.S_IMODE(found.st_mode))


def _lock(folder: Path, stack: ExitStack) -> bool:
    descriptor = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    stack.callback(os.close, descriptor)
    return True
