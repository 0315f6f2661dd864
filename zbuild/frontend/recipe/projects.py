"""The projects of a folder tree: which folders become images, and by what."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zbuild.frontend.recipe.detect import detect_recipe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_NOT_OURS = frozenset(
    {"node_modules", "vendor", "target", "dist", "build", "out", "bin", "obj", "venv", "site-packages", "__pycache__"}
    | {"testdata", "fixtures"}
)
_BUILD_FILES = ("ZImagefile", "Containerfile", "Dockerfile")
_WORKSPACE_FILES = ("zbuild.yaml", "ZPipeline.yaml", "ZPipeline.yml")
_UNSUITED = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class FoundProject:
    """A folder (relative to the start, `/` between names) that is to be an image called `name`.

    `file` is the build file it has, or the workspace file; else `recipe` builds it, since `because` is there.
    """

    folder: str
    name: str
    file: str = ""
    recipe: str = ""
    because: str = ""

    @property
    def is_workspace(self) -> bool:
        """Whether the folder has a zbuild.yaml of its own."""
        return self.file in _WORKSPACE_FILES


def find_projects(root: Path) -> tuple[FoundProject, ...]:
    """Return the projects below a folder, in the order of their paths.

    What lies inside a project is part of it. The root itself counts when it has a build file, or nothing below it is a
    project: else what marks it is likely there for all of them. Links are not followed.
    """
    names = _names(root)
    below = [found for name in _folders(root, names) for found in _walk(root, name)]
    own = _project(".", names, root.name)
    found = [own] if own is not None and (not below or (own.file and not own.is_workspace)) else []
    return tuple(_named(project, [*found, *below]) for project in (*found, *below))


def _walk(root: Path, start: str) -> Iterator[FoundProject]:
    pending = [start]
    while pending:
        folder = pending.pop()
        names = _names(root / folder)
        found = _project(folder, names, folder.rpartition("/")[2])
        if found is not None:
            yield found
        else:
            pending += (f"{folder}/{name}" for name in reversed(_folders(root / folder, names)))


def _project(folder: str, names: Collection[str], name: str) -> FoundProject | None:
    file = next((file for file in (*_WORKSPACE_FILES, *_BUILD_FILES) if file in names), "")
    if file:
        return FoundProject(folder, name, file=file)
    detected = detect_recipe(names)
    return None if detected is None else FoundProject(folder, name, recipe=detected.recipe, because=detected.file)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:  # not ours to read
        return []


def _folders(folder: Path, names: Collection[str]) -> list[str]:
    """Return the folders worth looking into: no hidden ones, none that tools make, none a build file cannot name."""
    return [
        name
        for name in names
        if not name.startswith(".")
        and name not in _NOT_OURS
        and name.isprintable()
        and "$" not in name
        and not (folder / name).is_symlink()
        and (folder / name).is_dir()
    ]


def _named(project: FoundProject, projects: Collection[FoundProject]) -> FoundProject:
    """Give a project a name that no other has: its folder's, or its whole path where another's is called the same."""
    names = [_suited(other.name) for other in projects]
    name = _suited(project.name)
    if names.count(name) > 1:
        paths = [_suited(other.folder) for other in projects]
        name = _suited(project.folder)
        name = name if paths.count(name) == 1 else f"{name}-{list(projects).index(project)}"
    return FoundProject(project.folder, name, project.file, project.recipe, project.because)


def _suited(text: str) -> str:
    return _UNSUITED.sub("-", posixpath.normpath(text)).strip("-.").lower() or "app"
