"""What all parts of the backend share: the runner, the names, and what the probe found."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.commands import Isolation
from zbuild.backend.buildah.names import Names
from zbuild.backend.buildah.probe import probe
from zbuild.backend.buildah.runtime_run import Runtime
from zbuild.backend.buildah.store import Store
from zbuild.backend.faults import says_disk_full
from zbuild.base.errors import BackendError, ImageGoneError

if TYPE_CHECKING:
    from zbuild.backend.buildah.probe import Facts, Memory
    from zbuild.backend.command import Command
    from zbuild.backend.process import Completed, Runner

_GONE = ("image not known", "layer not known", "no such image", "identifier is not an image")


class Engine:
    """Starts buildah and reads its store; probes the machine when first asked, from whatever thread."""

    def __init__(self, workspace: Path, memory: Memory, runner: Runner) -> None:
        self.runner = runner
        self.names = Names(workspace)
        self._memory = memory
        self._lock = threading.Lock()
        self._facts: Facts | None = None

    @property
    def facts(self) -> Facts:
        """What works on this machine. Raises BackendError when nothing does."""
        with self._lock:
            if self._facts is None:
                self._facts = probe(self.runner, self._memory, self.names.new_container)
            return self._facts

    @property
    def store(self) -> Store:
        """The store's files."""
        return Store(Path(self.facts.graphroot), self.facts.driver)

    @property
    def isolation(self) -> Isolation:
        """How RUN is isolated."""
        return Isolation(self.facts.isolation, self.facts.runtime)

    @property
    def runtime(self) -> Runtime:
        """The OCI runtime, for runs without buildah; its program is "" where there is none."""
        return Runtime(self.facts.runtime, Path(self.facts.runroot))

    def call(self, command: Command, *, cleanup: bool = False) -> str:
        """Run a buildah command and return what it printed.

        Raises BackendError when it fails: `disk-full`, ImageGoneError, or `buildah-failed`.
        """
        done = self.runner.run(command, cleanup=cleanup)
        if done.returncode:
            raise self.error(command, done)
        return done.stdout.rstrip("\n")

    def error(self, command: Command, done: Completed) -> BackendError:
        """Return the error for a command that failed."""
        said = " ".join(line for line in done.stderr if line).strip() or f"exit code {done.returncode}"
        if says_disk_full(done.stderr):
            hint = f"free space under {self.facts.graphroot}, or where TMPDIR points"
            return BackendError("disk-full", f"the store at {self.facts.graphroot} is full: {said}", hint=hint)
        if any(sign in said for sign in _GONE):
            return ImageGoneError("image-gone", said)
        return BackendError("buildah-failed", f"buildah {command.argv[1]} failed: {said}")

    def discard(self, *containers: str) -> None:
        """Remove working containers, come what may: this follows an error, which matters more."""
        if containers:
            self.runner.run(commands.remove_containers(containers), cleanup=True)
