"""The mounts of a RUN: every source is found and checked by zbuild, whatever buildah itself would let through.

The source of a bind is resolved inside its tree, links included (CVE-2024-1753); for caches see `caches.py`.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, assert_never

from zbuild.backend.buildah.caches import Seed
from zbuild.backend.buildah.run_mount import Bind, Mounted, Tmpfs
from zbuild.backend.buildah.shown import less_ignored
from zbuild.backend.lending import Lending
from zbuild.backend.rootfs import Attributes, Rootfs
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import StageError
from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount
from zbuild.model.steps import ContextOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbuild.backend.buildah.caches import Caches
    from zbuild.backend.buildah.container import Container
    from zbuild.backend.buildah.run_mount import RunMount
    from zbuild.backend.buildah.tree import Tree
    from zbuild.backend.lending import Lenders
    from zbuild.model.mounts import Mount
    from zbuild.model.steps import Origin, RunStep


@dataclass(frozen=True, slots=True)
class MountSources:
    """Where mounts come from: the caches, the tree of a step's origin, what names its state, secrets and agents."""

    caches: Caches
    tree: Callable[[Origin], bytes]
    identity: Callable[[Origin], str]
    lenders: Lenders


class _Mount(NamedTuple):
    """A mount made ready, and what its target has to be."""

    mount: RunMount
    target: bytes
    is_file: bool = False


@contextmanager
def mounted(step: RunStep, container: Container | Tree, sources: MountSources) -> Iterator[Mounted]:
    """Prepare a step's mounts for one run, yielding them made ready; the places made for them go afterwards.

    Raises StageError for a mount that cannot be, BackendError for a secret that cannot be read.
    """
    with ExitStack() as stack:
        lending = Lending(step, sources.lenders, container.name, stack)
        mounting = _Mounting(step, sources, lending, stack)
        try:
            mounts = [ready for mount in step.mounts if (ready := mounting.prepare(mount))]
            mounts += [mounting.program(*program) for program in step.programs]
            made = _make_places(container.root, mounts)
        except OSError as error:
            message = f"cannot mount for '{step.text}': {error.strerror}: {os.fsdecode(error.filename or b'')}"
            raise StageError("bad-mount", message, span=step.span) from error
        try:
            binds = tuple(mount.mount for mount in mounts)
            yield Mounted(binds, tuple(lending.env.items()), tuple(lending.hidden), lending.folder)
        finally:
            _remove_places(container.root, made)


def _file(source: Path | None, target: str) -> _Mount | None:
    return None if source is None else _Mount(Bind(str(source), target, "ro"), os.fsencode(target), is_file=True)


def _make_places(root: bytes, mounts: list[_Mount]) -> list[bytes]:
    """Make the mount points that are missing, and return them, each after what it is in."""
    made: list[bytes] = []
    with Rootfs(root) as rootfs:
        for mount in mounts:
            made += rootfs.make_folder(mount.target.rpartition(b"/")[0] if mount.is_file else mount.target)
            if mount.is_file and rootfs.lstat(mount.target) is None:
                rootfs.put_file(mount.target, BytesIO(), Attributes(0o644))
                made.append(mount.target)
    return made


def _remove_places(root: bytes, made: list[bytes]) -> None:
    """Remove those that the command left empty: an image should show no trace of a mount."""
    with Rootfs(root) as rootfs:
        for path in reversed(made):
            rootfs.remove_empty(path)


@dataclass(frozen=True, slots=True)
class _Mounting:
    """Makes mounts ready; what is held for the run (locks) goes onto the stack."""

    step: RunStep
    sources: MountSources
    lending: Lending
    stack: ExitStack

    def prepare(self, mount: Mount) -> _Mount | None:
        """Find, and where need be make, a mount's source; None for a secret or agent that shows nothing there.

        Raises OSError, StageError and BackendError.
        """
        target = os.fsencode(mount.target)
        match mount:
            case CacheMount():
                bind = Bind(str(self._cache(mount)), mount.target, "ro" if mount.readonly else "rw")
                return _Mount(bind, target)
            case BindMount():
                # What is written to a bind is dropped: neither context nor image may change by a RUN.
                source = self._shown(mount)
                bind = Bind(str(source), mount.target, "O" if mount.readwrite else "ro")
                return _Mount(bind, target, is_file=not source.is_dir())
            case TmpfsMount():
                return _Mount(Tmpfs(mount.target, mount.size, readonly=mount.readonly), target)
            case SecretMount():
                return _file(self.lending.secret(mount), mount.target)
            case SshMount():
                return _file(self.lending.agent(mount), mount.target)
            case _:
                assert_never(mount)

    def program(self, path: str, content: str) -> _Mount:
        """Show a text as a file that can be executed. Raises OSError."""
        folder = self.sources.caches.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        self.stack.callback(os.unlink, name)
        os.close(handle)
        Path(name).write_bytes(content.encode("utf-8", "surrogateescape"))
        Path(name).chmod(0o755)
        return _Mount(Bind(name, path, "ro"), os.fsencode(path), is_file=True)

    def _shown(self, mount: BindMount | CacheMount) -> Path:
        """Return the path on this machine of what a mount shows. Raises OSError when there is nothing."""
        origin, caches = self._origin(mount), self.sources.caches
        if isinstance(origin, ContextOrigin):
            return less_ignored(origin, mount.path, caches.folder, caches.runner.check, self.stack)
        with Rootfs(self.sources.tree(origin)) as tree:
            return Path(os.fsdecode(tree.real(os.fsencode(mount.path))))

    def _origin(self, mount: BindMount | CacheMount) -> Origin:
        return dict(self.step.origins)[mount.source]

    def _cache(self, mount: CacheMount) -> Path:
        seed = None
        if mount.source:
            seed = Seed(self.sources.identity(self._origin(mount)), os.fsencode(self._shown(mount)))
        return self.sources.caches.open(mount, seed, self.stack)
