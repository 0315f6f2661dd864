"""The builders that are compared, each with a store of its own that is thrown away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from generate import BASE

if TYPE_CHECKING:
    from generate import Work

_ZBUILD = Path(__file__).parents[1] / ".venv/bin/zbuild"
_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{root}/graph"
runroot = "{root}/run"
"""


class Peer(Protocol):
    """A builder. `reset` forgets everything but the base image; `build` is what is timed.

    `cold_only`: one that shares its workspace with another and is not asked to build what changed.
    """

    name: str
    cold_only: bool

    def reset(self, work: Work) -> None: ...
    def build(self, work: Work) -> None: ...
    def close(self) -> None: ...


class CommandFailedError(Exception):
    """A builder failed: measuring it would be worth nothing."""


def run(argv: list[str], environment: dict[str, str]) -> str:
    """Run a command and return its output; raises CommandFailedError with the last lines."""
    done = subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        message = f"{' '.join(argv)} gave {done.returncode}:\n{output[-2000:]}"
        raise CommandFailedError(message)
    return output


def root_file_system(folder: Path) -> Path:
    """Make the files of the base image, a static busybox with its commands; return their folder."""
    root = folder / "rootfs"
    if not root.exists():
        binaries = root / "bin"
        binaries.mkdir(parents=True)
        shutil.copy(shutil.which("busybox") or "busybox", binaries / "busybox")
        for name in ("sh", "cat", "mkdir", "sleep", "head"):
            (binaries / name).symlink_to("busybox")
    return root


class Store:
    """A folder for buildah's images; new after each `reset`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder / "store"
        folder.mkdir(parents=True)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"CONTAINERS_STORAGE_CONF": str(self._folder / "storage.conf")}

    def reset(self) -> None:
        self.remove()
        self._root.mkdir()
        (self._folder / "storage.conf").write_text(_STORAGE.format(root=self._root))
        container = self.buildah("from", "scratch")
        self.buildah("copy", "--quiet", container, str(root_file_system(self._folder)), "/")
        self.buildah("config", "--env", "PATH=/bin", container)
        self.buildah("commit", "--quiet", "--rm", container, BASE)

    def buildah(self, *arguments: str) -> str:
        return run(["buildah", *arguments], self.environment).strip()

    def remove(self) -> None:
        if self._root.exists():
            self.buildah("rm", "--all")
            shutil.rmtree(self._root)


class Buildah:
    """`buildah build --layers`, image by image in order."""

    name = "buildah"
    cold_only = False

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder)

    def reset(self, work: Work) -> None:
        del work
        self._store.reset()

    def build(self, work: Work) -> None:
        flags = ["build", "--layers", "--pull-never", "--isolation", "chroot", "--quiet"]
        for image in work.images:
            self._store.buildah(*flags, "--tag", image.tag, str(image.context))

    def close(self) -> None:
        self._store.remove()


class Zbuild:
    """`zbuild build`, two jobs at once."""

    name = "zbuild"
    cold_only = False
    _flags: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder)
        self._metadata = folder / "metadata.json"

    def reset(self, work: Work) -> None:
        self._store.reset()
        shutil.rmtree(work.root / ".zbuild", ignore_errors=True)

    def build(self, work: Work) -> None:
        run(self._command(work), self._store.environment)

    def stages_run(self, work: Work) -> int:
        """Build, and return how many stages ran."""
        run([*self._command(work), "--metadata-file", str(self._metadata)], self._store.environment)
        images = json.loads(self._metadata.read_text())["images"].values()
        ran = {stage["key"] for image in images for stage in image["stages"] if stage["action"] == "run"}
        return len(ran)

    def close(self) -> None:
        self._store.remove()

    def _command(self, work: Work) -> list[str]:
        return [str(_ZBUILD), "build", "-C", str(work.root), "-j2", "--progress", "quiet", *self._flags]


class ZbuildWithoutCheckpoints(Zbuild):
    """`zbuild build --no-layers`, which tells what checkpoints cost."""

    name = "zbuild --no-layers"
    cold_only = True
    _flags = ("--no-layers",)
