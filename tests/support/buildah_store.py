"""One buildah store for all integration tests of the backend: what the probe found and the base are made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.lab import DictMemory, Lab
from support.storage import Storage
from zbuild.backend.buildah.backend import BuildahBackend

if TYPE_CHECKING:
    from pathlib import Path

    from support.lab import RecordingRunner
    from zbuild.backend.protocol import BaseImage


class BuildahStore:
    """A store, and labs that work in it."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage.create(folder)
        self.memory = DictMemory()
        self.base: BaseImage | None = None
        self._opened: list[BuildahBackend] = []

    def backend(self, workspace: Path, runner: RecordingRunner | None = None) -> BuildahBackend:
        """Open the backend for a workspace; it is closed by `close`."""
        self._opened.append(BuildahBackend(workspace, workspace / ".zbuild", self.memory, runner))
        return self._opened[-1]

    def lab(self, workspace: Path, runner: RecordingRunner | None = None) -> Lab:
        made = Lab(self.backend(workspace, runner), workspace)
        if self.base is None:
            self.base = made.make_base()
            made.events.clear()
        made.base = self.base
        return made

    def close(self) -> None:
        while self._opened:
            self._opened.pop().close()
