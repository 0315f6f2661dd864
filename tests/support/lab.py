"""A bench for backends: one of them, a base image, a context, and short ways to order builds."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbuild.backend.fake.backend import FakeBackend
from zbuild.backend.process import Runner
from zbuild.backend.protocol import StageBuild
from zbuild.base.platform import host_platform
from zbuild.model.image_config import ImageConfig
from zbuild.model.steps import ContextOrigin, CopyStep, RunStep, Selection, StageOrigin

if TYPE_CHECKING:
    from zbuild.backend.buildah.backend import BuildahBackend
    from zbuild.backend.command import Command
    from zbuild.backend.lines import OnLine
    from zbuild.backend.process import Completed
    from zbuild.backend.protocol import BaseImage, StageResult
    from zbuild.events.types import Event

BASE_CONFIG = ImageConfig(env=(("PATH", "/bin"),), cmd=("/bin/sh",))
# What RUN knows in every backend: the fake's commands, as scripts for busybox.
_SCRIPTS = {
    "write": 'printf %s "$2" > "$1"',
    "say": 'case $1 in \\$*) eval "echo $1" ;; *) echo "$*" ;; esac',
    "fail": 'code=$1; shift; echo "$*"; exit "$code"',
}
_APPLETS = ("sh", "cat", "id", "ls", "sleep", "touch", "env")


class DictMemory(dict[str, str]):
    """Remembers for as long as it lives."""

    def set(self, key: str, value: str) -> None:
        self[key] = value


@dataclass
class Lab:
    """One backend at work in a workspace of its own."""

    backend: BuildahBackend | FakeBackend
    workspace: Path
    base: BaseImage | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def context(self) -> ContextOrigin:
        return ContextOrigin(str(self.workspace / "context"))

    def put(self, path: str, text: str = "x") -> None:
        """Write a file into the context."""
        file = self.workspace / "context" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def order(self, key: str, *steps: Any, **fields: Any) -> StageBuild:
        """Return an order on the base image, to be built as `localhost/lab/<key>` unless named otherwise."""
        given = {"base": self.base, "config": BASE_CONFIG, "names": (f"localhost/lab/{key}:1",), **fields}
        return StageBuild(stage=key, key=key, platform=host_platform(), steps=steps, **given)

    def build(self, key: str, *steps: Any, **fields: Any) -> StageResult:
        return self.backend.build(self.order(key, *steps, **fields), self.events.append)

    def copy(self, *sources: str, dest: str, **fields: Any) -> CopyStep:
        return CopyStep(self.context, Selection(sources), dest, text=f"COPY {' '.join(sources)} {dest}", **fields)

    def copy_from(self, name: str, *sources: str, dest: str, **fields: Any) -> CopyStep:
        return CopyStep(StageOrigin(name), Selection(sources), dest, **fields)

    def read(self, image_id: str, path: str) -> str:
        """Return the text of a file of an image."""
        return (self._root(image_id) / path.lstrip("/")).read_text()

    def lstat(self, image_id: str, path: str) -> os.stat_result:
        """Return what the file system tells of a file of an image."""
        return (self._root(image_id) / path.lstrip("/")).lstat()

    def _root(self, image_id: str) -> Path:
        if isinstance(self.backend, FakeBackend):
            return self.backend._images.root(image_id)
        return Path(os.fsdecode(self.backend._roots.root(image_id)))

    def config(self, image_id: str) -> ImageConfig:
        """Return an image's configuration as it is stored."""
        return self.backend.resolve(image_id, host_platform(), "never").config

    def make_base(self) -> BaseImage:
        """Make an image of busybox and the test commands, by a build from scratch."""
        folder = self.workspace / "base"
        (folder / "bin").mkdir(parents=True)
        (folder / "etc").mkdir()
        (folder / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n")
        (folder / "etc/group").write_text("root:x:0:\nstaff:x:50:\n")
        shutil.copy("/bin/busybox", folder / "bin/busybox")
        for name in _APPLETS:
            (folder / "bin" / name).symlink_to("busybox")
        for name, text in _SCRIPTS.items():
            (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / "bin" / name).chmod(0o755)
        step = CopyStep(ContextOrigin(str(folder)), Selection((".",)), "/")
        name = "localhost/lab/base:1"
        self.backend.build(self.order("base", step, base=None, names=(name,)), self.events.append)
        return self.backend.resolve(name, host_platform(), "never")


def run(*argv: str, **fields: Any) -> RunStep:
    """Return a RUN in exec form."""
    return RunStep(argv, text=f"RUN {' '.join(argv)}", **{"env": (("PATH", "/bin"),), **fields})


class RecordingRunner(Runner):
    """Runs commands, and notes which of buildah's were called; of another program, its name."""

    def __init__(self) -> None:
        super().__init__()
        self.called: list[str] = []

    def run(self, command: Command, on_line: OnLine | None = None, *, cleanup: bool = False) -> Completed:
        program = command.argv[0].rpartition("/")[2]
        self.called.append(command.argv[1] if program == "buildah" else program)
        return super().run(command, on_line, cleanup=cleanup)
