"""What one run of the command line knows: where it works, and how the workspace is found."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import UsageError
from zbuild.model.overlay import Overlay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.api.workspace import Workspace


class Find(Protocol):
    """Finds the workspace a folder lies in."""

    def __call__(self, start: Path, *, file: str, variables: Mapping[str, str], overlay: Overlay) -> Workspace:
        """Return the workspace; raises UsageError when there is none."""
        ...


def find_workspace(start: Path, *, file: str, variables: Mapping[str, str], overlay: Overlay) -> Workspace:
    """Find the workspace with the library; see `Workspace.find`."""
    from zbuild.api.workspace import Workspace  # noqa: PLC0415 - the engine is not needed to show help

    return Workspace.find(start, file=file, variables=variables, overlay=overlay)


@dataclass(slots=True)
class Session:
    """Travels as click's context object. `directory` is where the run starts; build files are relative to `root`."""

    find: Find = find_workspace
    argv: list[str] = field(default_factory=list)
    directory: Path = field(default_factory=Path)
    root: Path = field(default_factory=Path)

    def recipes(self) -> str:
        """Return the folder of the recipes of the workspace that the run starts in; "" outside of any."""
        try:
            return self.open(file="", variables={}, overlay=Overlay()).recipes()
        except UsageError:
            return ""

    def open(self, *, file: str, variables: Mapping[str, str], overlay: Overlay) -> Workspace:
        """Find the workspace and remember its root; its build files are read later, when something is asked of it."""
        workspace = self.find(self.directory, file=file, variables=variables, overlay=overlay)
        self.root = workspace.root
        return workspace
