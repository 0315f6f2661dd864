"""Carries out a RUN by the OCI runtime itself, in a container's mounted root.

`buildah run` costs 165-215 ms and wants build arguments among its own; this costs 10-30 ms, and the environment is in
a file that only root can read. All of it stands below the store's own run root:

    <runroot>/zbuild/bundles/<container>/    config.json and the files of the host, for the time of one RUN
    <runroot>/zbuild/state/<container>/      what the runtime knows of it
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zbuild.backend.buildah import host_files
from zbuild.backend.buildah.oci_spec import HOST_FILES, RunPlace, runtime_spec
from zbuild.backend.buildah.run_user import find_user
from zbuild.backend.command import Command
from zbuild.backend.rootfs import Attributes, Rootfs
from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from zbuild.backend.buildah.oci_spec import Spec
    from zbuild.backend.buildah.run_mount import RunMount
    from zbuild.backend.lines import OnLine
    from zbuild.backend.process import Completed, Runner
    from zbuild.model.ops import Pairs
    from zbuild.model.steps import RunStep

_CONTAINER_ENV = b"/run/.containerenv"


@dataclass(frozen=True, slots=True)
class Runtime:
    """An OCI runtime and where its containers are kept; `program` is its path, `runroot` the store's."""

    program: str
    runroot: Path

    @property
    def bundles(self) -> Path:
        """The folder of the bundles."""
        return self.runroot / "zbuild/bundles"

    @property
    def state(self) -> Path:
        """The folder of the runtime's own state."""
        return self.runroot / "zbuild/state"

    def run(self, container: str, bundle: Path, timeout: float) -> Command:
        """Run a bundle's container to its end; the container's name stands among the arguments for the sweep.

        The runtime makes missing mount points under its own umask.
        """
        argv = (self.program, "--root", str(self.state), "run", "--bundle", str(bundle), container)
        return Command(argv, timeout=timeout, umask=0o22)

    def delete(self, container: str) -> Command:
        """End whatever runs in a container, and forget it."""
        return Command((self.program, "--root", str(self.state), "delete", "--force", container))

    def leftovers(self, prefix: str) -> set[str]:
        """Return the containers of dead runs whose names begin with `prefix`."""
        folders = [folder for folder in (self.bundles, self.state) if folder.is_dir()]
        return {entry.name for folder in folders for entry in folder.iterdir() if entry.name.startswith(prefix)}

    def clean(self, runner: Runner, container: str) -> None:
        """Leave nothing of a container: a runtime that ended by itself has already removed what is its own."""
        if self.program and (self.state / container).exists():
            runner.run(self.delete(container), cleanup=True)
            shutil.rmtree(self.state / container, ignore_errors=True)
        shutil.rmtree(self.bundles / container, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class RunContainer:
    """A container to run in: `root` is where it is mounted, `env` and `user` are its image's."""

    name: str
    id: str
    root: bytes
    env: Pairs = ()
    user: str = ""
    image: str = ""
    image_id: str = ""
    engine_version: str = ""
    given_hostname: str = ""

    @property
    def hostname(self) -> str:
        """What the machine is called inside."""
        return self.given_hostname or self.id[:12]


def run_directly(
    runtime: Runtime,
    runner: Runner,
    template: Spec,
    container: RunContainer,
    step: RunStep,
    mounts: Sequence[RunMount],
    on_line: OnLine | None = None,
) -> Completed:
    """Run a step's command to its end. Raises what `Runner.run` does, OSError, and LookupError for an unknown user."""
    with _bundle(runtime, runner, container.name) as bundle, _root(container.root) as root:
        user = find_user(root, step.user or container.user)
        for made in root.make_folder(os.fsencode(step.workdir)):
            root.put_folder(made, Attributes(0o755, user.uid, user.gid))
        place = RunPlace(os.fsdecode(container.root), container.hostname, user, _write_files(bundle, container))
        spec = runtime_spec(template, step, container.env, mounts, place)
        _write(bundle / "config.json", json.dumps(spec), 0o600)
        return runner.run(runtime.run(container.name, bundle, step.timeout / 1e9), on_line)


@contextmanager
def _bundle(runtime: Runtime, runner: Runner, container: str) -> Iterator[Path]:
    """Make a bundle's folder; whatever happens, neither it nor a process of the container is left."""
    bundle = runtime.bundles / container
    runtime.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    runtime.bundles.mkdir(mode=0o700, exist_ok=True)
    try:
        bundle.mkdir(mode=0o700)
        yield bundle
    finally:
        runtime.clean(runner, container)


@contextmanager
def _root(path: bytes) -> Iterator[Rootfs]:
    """Open a root; the one mount point that buildah removes is removed, unless it was there before."""
    with Rootfs(path) as root:
        before = root.lstat(_CONTAINER_ENV)
        try:
            yield root
        finally:
            if before is None:
                root.remove_empty(_CONTAINER_ENV)


def _write_files(bundle: Path, container: RunContainer) -> dict[str, str]:
    """Write the files of the host, and return where they are, by the places they are mounted at."""
    told = (container.name, container.id, container.image, container.image_id)
    texts = (
        host_files.host_hosts(),
        f"{container.hostname}\n",
        host_files.host_resolv_conf(),
        host_files.container_env(container.engine_version, *told),
    )
    files = {}
    for target, text in zip(HOST_FILES, texts, strict=True):
        file = bundle / target.rpartition("/")[2]
        _write(file, text, 0o755 if target == os.fsdecode(_CONTAINER_ENV) else 0o644)
        files[target] = str(file)
    return files


def _write(file: Path, text: str, mode: int) -> None:
    """Write a new file, which is not even at first open to others."""
    with open(file, "x", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as opened:
        opened.write(text)
        os.fchmod(opened.fileno(), mode)
