"""What all parts of the backend share: the runner, the names, and what the probe found."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.commands import Isolation
from zbuild.backend.buildah.direct import NETWORKS, asked_way
from zbuild.backend.buildah.facts import recall, recall_spec, remember, remember_spec
from zbuild.backend.buildah.names import Names
from zbuild.backend.buildah.overlay import overlay_of
from zbuild.backend.buildah.runtime_run import Runtime
from zbuild.backend.buildah.store import Store
from zbuild.backend.faults import says_disk_full
from zbuild.base.errors import BackendError, ImageGoneError
from zbuild.base.platform import host_platform

if TYPE_CHECKING:
    from zbuild.backend.buildah.facts import Facts, Memory
    from zbuild.backend.buildah.oci_spec import Spec
    from zbuild.backend.buildah.overlay import Overlay
    from zbuild.backend.command import Command
    from zbuild.backend.process import Completed, Runner
    from zbuild.base.platform import Platform

_GONE = ("image not known", "layer not known", "no such image", "identifier is not an image")


class Engine:
    """Starts buildah and reads its store; probes the machine when first asked, from whatever thread."""

    def __init__(self, workspace: Path, memory: Memory, runner: Runner) -> None:
        self.runner = runner
        self.names = Names(workspace)
        self._memory = memory
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._templates: dict[str, Spec | None] = {}
        self._foreign: dict[Platform, str] = {host_platform(): ""}

    @property
    def facts(self) -> Facts:
        """What works on this machine. Raises BackendError when nothing does."""
        with self._lock:
            if self._facts is None:
                self._facts = recall(self._memory) or self._probe()
                self._templates["host"] = self._facts.template
            return self._facts

    def template(self, network: str) -> Spec | None:
        """Return buildah's spec of a RUN on a network, None where a RUN cannot go directly. Raises BackendError."""
        facts = self.facts
        if not facts.template or network not in NETWORKS:
            return None
        with self._lock:
            if network not in self._templates:
                spec = recall_spec(self._memory, network)
                self._templates[network] = self._probe_network(facts, network) if spec is None else spec
            return self._templates[network] or None

    def _probe(self) -> Facts:
        from zbuild.backend.buildah.probe import probe  # noqa: PLC0415 - once in the life of a machine

        facts = probe(self.runner, self.names.new_container)
        remember(self._memory, facts)
        return facts

    def _probe_network(self, facts: Facts, network: str) -> Spec:
        from zbuild.backend.buildah.probe import probe_network  # noqa: PLC0415 - likewise

        spec = probe_network(self.runner, self.names.new_container, facts, network)
        remember_spec(self._memory, network, spec)
        return spec

    def cannot_run(self, platform: Platform) -> str:
        """Return why programs of a platform cannot run here, "" when they can."""
        from zbuild.backend.buildah.foreign import cannot_run  # noqa: PLC0415 - most images are for this machine

        with self._lock:
            if platform not in self._foreign:
                self._foreign[platform] = cannot_run(self.runner, platform)
            return self._foreign[platform]

    @property
    def overlay(self) -> Overlay:
        """What mounts roots without buildah, where `mounts_roots`."""
        return overlay_of(Path(self.facts.graphroot), Path(self.facts.runroot), self.facts.overlay or ())

    @property
    def mounts_roots(self) -> bool:
        """Whether zbuild mounts roots: where it can, unless ZBUILD_RUN leaves all to buildah."""
        return self.facts.overlay is not None and asked_way() != "buildah"

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
