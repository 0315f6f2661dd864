"""The mounts of a RUN: every source is found and checked by zbuild, whatever buildah itself would let through.

A cache's id becomes a hash, so that `../..` names no folder of the host (CVE-2024-9675); the source of a bind is
resolved inside its tree, links included (CVE-2024-1753).
"""

from __future__ import annotations

import fcntl
import itertools
import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from zbuild.backend.buildah import commands
from zbuild.backend.rootfs import Rootfs
from zbuild.base.digest import xxh
from zbuild.base.errors import StageError
from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbuild.backend.process import Runner
    from zbuild.base.span import Span
    from zbuild.model.mounts import Mount
    from zbuild.model.steps import Origin, RunStep

_LOCK_POLL = 0.05


@dataclass(frozen=True, slots=True)
class MountSources:
    """Where mounts come from: the folder that holds the caches, and the tree of a step's origin."""

    caches: Path
    tree: Callable[[Origin], bytes]
    runner: Runner


@contextmanager
def mounted(step: RunStep, root: bytes, sources: MountSources) -> Iterator[tuple[str, ...]]:
    """Prepare a step's mounts for one run, yielding buildah's flags; the places made for them go afterwards.

    Raises StageError for a mount that cannot be.
    """
    with ExitStack() as stack:
        flags: list[str] = []
        for mount in step.mounts:
            try:
                flags += _Mounting(step, sources, stack).flags(mount)
            except ValueError as error:
                raise StageError("bad-mount", str(error), span=step.span) from None
            except OSError as error:
                raise _error(f"cannot mount {mount.target}: {error.strerror}", step.span) from error
        stack.enter_context(_places(step, root, sources))
        yield tuple(flags)


def _error(message: str, span: Span) -> StageError:
    return StageError("bad-mount", message, span=span)


@contextmanager
def _places(step: RunStep, root: bytes, sources: MountSources) -> Iterator[None]:
    """Make the mount points that are missing; afterwards remove those that are still empty."""
    made: list[bytes] = []
    with Rootfs(root) as rootfs:
        for mount in step.mounts:
            made += rootfs.make_folder(_place(mount, step, sources))
    try:
        yield
    finally:
        with Rootfs(root) as rootfs:
            for path in reversed(made):
                rootfs.remove_empty(path)


def _place(mount: Mount, step: RunStep, sources: MountSources) -> bytes:
    """Return the folder that a mount needs in the root: its target, or the parent where a file is mounted."""
    target = os.fsencode(mount.target)
    if isinstance(mount, BindMount) and not Path(os.fsdecode(_bind_source(mount, step, sources))).is_dir():
        return target.rpartition(b"/")[0]
    return target


def _bind_source(mount: BindMount, step: RunStep, sources: MountSources) -> bytes:
    """Return the path on this machine of what a bind shows. Raises OSError when there is nothing."""
    with Rootfs(sources.tree(dict(step.origins)[mount.source])) as tree:
        return tree.real(os.fsencode(mount.path))


@dataclass(frozen=True, slots=True)
class _Mounting:
    """Turns mounts into flags; what is held for the run (locks) goes onto the stack."""

    step: RunStep
    sources: MountSources
    stack: ExitStack

    def flags(self, mount: Mount) -> tuple[str, ...]:
        match mount:
            case CacheMount():
                return commands.volume(str(self._cache(mount)), mount.target, "ro" if mount.readonly else "rw")
            case BindMount():
                # What is written to a bind is dropped: neither context nor image may change by a RUN.
                source = os.fsdecode(_bind_source(mount, self.step, self.sources))
                return commands.volume(source, mount.target, "O" if mount.readwrite else "ro")
            case TmpfsMount():
                return commands.tmpfs(mount.target, mount.size)
            case SecretMount() | SshMount():
                kind = "secret" if isinstance(mount, SecretMount) else "ssh"
                raise StageError("not-yet", f"{kind} mounts are not supported yet", span=self.step.span)
            case _:
                assert_never(mount)

    def _cache(self, mount: CacheMount) -> Path:
        """Return a cache's folder, locked for the run as its sharing says."""
        folder = self.sources.caches / xxh(mount.id or mount.target)
        self.sources.caches.mkdir(mode=0o700, parents=True, exist_ok=True)
        match mount.sharing:
            case "shared":
                pass
            case "locked":
                while not self._lock(folder):
                    self.sources.runner.sleep(_LOCK_POLL)
            case "private":
                others = (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(1))
                folder = next(free for free in itertools.chain([folder], others) if self._lock(free))
            case _:
                assert_never(mount.sharing)
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            folder.chmod(int(mount.mode or "0755", 8))
            os.chown(folder, mount.uid, mount.gid)
        return folder

    def _lock(self, folder: Path) -> bool:
        descriptor = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self.stack.callback(os.close, descriptor)
        return True
