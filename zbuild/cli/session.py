"""What one run of the command line knows: where it works, and how the workspace is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.api.workspace import Workspace


class Find(Protocol):
    """Finds the workspace a folder lies in."""

    def __call__(self, start: Path, *, file: str = "", variables: Mapping[str, str]) -> Workspace:
        """Return the workspace; raises UsageError when there is none."""
        ...


def find_workspace(start: Path, *, file: str = "", variables: Mapping[str, str]) -> Workspace:
    """Find the workspace with the library; see `Workspace.find`."""
    from zbuild.api.workspace import Workspace  # noqa: PLC0415 - the engine is not needed to show help

    return Workspace.find(start, file=file, variables=variables)


@dataclass(slots=True)
class Session:
    """Travels as click's context object. `directory` is where the run starts; build files are relative to `root`."""

    find: Find = find_workspace
    directory: Path = field(default_factory=Path.cwd)
    root: Path = field(default_factory=Path.cwd)

    def open(self, *, file: str, variables: Mapping[str, str]) -> Workspace:
        """Find the workspace and remember its root, if only the likely one: it may be wrong build files that fail."""
        self.root = (self.directory / file).parent if file else _nearest(self.directory)
        workspace = self.find(self.directory, file=file, variables=variables)
        self.root = workspace.root
        return workspace


def _nearest(directory: Path) -> Path:
    from zbuild.api.workspace import BUILD_FILES  # noqa: PLC0415 - likewise

    folders = (directory, *directory.parents)
    return next((folder for folder in folders if any((folder / name).is_file() for name in BUILD_FILES)), directory)
