"""The projects of a folder tree: which folders become images, and by what."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.frontend.recipe.detect import detect_recipe
from zbuild.frontend.recipe.programs import Program, package_homes, programs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

_NOT_OURS = frozenset(
    {"node_modules", "vendor", "target", "dist", "build", "out", "bin", "obj", "venv", "site-packages", "__pycache__"}
    | {"testdata", "fixtures"}
)
_BUILD_FILES = ("ZImagefile", "Containerfile", "Dockerfile")
_WORKSPACE_FILES = ("zbuild.yaml", "ZPipeline.yaml", "ZPipeline.yml")
_LOCK_FILES = ("package-lock.json", "pnpm-lock.yaml", "yarn.lock", "npm-shrinkwrap.json", "Cargo.lock")
# `Dockerfile.api`, `api.Dockerfile`: one image each, where no build file has a plain name.
_NAMED_FILE = re.compile(r"(?:Dockerfile|Containerfile)\.([\w-]+)|([\w-]+)\.(?:[Dd]ockerfile|[Cc]ontainerfile)")
_UNSUITED = re.compile(r"[^A-Za-z0-9_.-]+")
_DEEPEST = 16  # folders below the start: nobody keeps projects deeper, and a tree may be made to be deep


@dataclass(frozen=True, slots=True)
class FoundProject:
    """A folder (relative to the start, `/` between names) that is to be an image called `name`.

    `file` is the build file it has, or the workspace file; else `recipe` builds it, since `because` is there, with
    `args`. `context` is the folder it is built in: another one than `folder` for a package of a larger workspace.
    """

    folder: str
    name: str
    context: str
    file: str = ""
    recipe: str = ""
    because: str = ""
    args: tuple[tuple[str, str], ...] = ()
    shared: bool = False

    @property
    def is_workspace(self) -> bool:
        """Whether the folder has a zbuild.yaml of its own."""
        return self.file in _WORKSPACE_FILES

    @property
    def has_plain_file(self) -> bool:
        """Whether zbuild finds its build file by itself."""
        return self.file in _BUILD_FILES

    @property
    def is_inline(self) -> bool:
        """Whether it is described in the zbuild.yaml, as a ZImagefile in its context would not be its alone."""
        return bool(self.recipe) and (self.shared or self.context != self.folder)


def find_projects(root: Path) -> tuple[FoundProject, ...]:
    """Return the projects below a folder, in the order of their paths.

    What lies inside a project is part of it, but for the packages of a workspace of npm's, pnpm's, Yarn's, cargo's or
    Go's kind that are programs. The root itself counts when it has a build file, or nothing below it is a project:
    else what marks it is likely there for all of them. Links are not followed.
    """
    found = tuple(_walk(root, ".", {}, 0))
    return tuple(_named(project, found) for project in found)


def _walk(root: Path, folder: str, homes: Mapping[str, str], depth: int) -> Iterator[FoundProject]:
    path = root / folder
    names = _names(path)
    here = package_homes(path, names)
    homes = {**homes, **dict.fromkeys(here, folder)}
    name = root.name if folder == "." else posixpath.basename(folder)
    own = list(_projects(path, FoundProject(folder, name, folder), names, homes))
    if own and folder != "." and not here:
        yield from own
        return
    subfolders = [posixpath.normpath(f"{folder}/{name}") for name in _folders(path, names)] if depth < _DEEPEST else []
    below = [found for subfolder in subfolders for found in _walk(root, subfolder, homes, depth + 1)]
    if not below or any(project.file and not (project.is_workspace and folder == ".") for project in own):
        yield from own
    yield from below


def _projects(
    path: Path, found: FoundProject, names: Collection[str], homes: Mapping[str, str]
) -> Iterator[FoundProject]:
    """Yield the images of one folder; `homes` are the roots of the workspaces around it, by kind."""
    file = next((file for file in (*_WORKSPACE_FILES, *_BUILD_FILES) if file in names), "")
    named = [match for name in sorted(names) if (match := _NAMED_FILE.fullmatch(name))]
    detected = detect_recipe(names)
    if file:
        yield replace(found, file=file)
    elif named:
        yield from (replace(found, name=match[1] or match[2], file=match[0]) for match in named)
    elif detected is not None:
        home = next((home for kind, home in homes.items() if detected.recipe.startswith(kind)), found.folder)
        if any(lock in names for lock in _LOCK_FILES):
            home = found.folder
        known = programs(detected.recipe, path, names)
        if home != found.folder and not known:
            return  # a library of a workspace
        for program in known or (Program("", ()),):
            yield replace(
                found,
                name=program.name or found.name,
                context=home,
                recipe=detected.recipe,
                because=detected.file,
                args=_from(home, found.folder, detected.recipe, program),
                shared=len(known) > 1,
            )


def _from(home: str, folder: str, recipe: str, program: Program) -> tuple[tuple[str, str], ...]:
    """Return a program's parameters as they are when it is built in another folder than its own."""
    if home == folder:
        return program.args
    way = posixpath.relpath(folder, home)
    if recipe == "go":
        return (("PACKAGE", "./" + posixpath.normpath(posixpath.join(way, dict(program.args).get("PACKAGE", ".")))),)
    return (("PACKAGE_PATH", way), *program.args)


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
    """Give a project a name that no other has: its own, or its whole path where another's is called the same."""
    names = [_suited(other.name) for other in projects]
    name = _suited(project.name)
    if names.count(name) > 1:
        paths = [_suited(f"{other.folder}/{other.name}") for other in projects]
        name = _suited(project.folder)
        if [_suited(other.folder) for other in projects].count(name) > 1:
            name = _suited(f"{project.folder}/{project.name}")
            name = name if paths.count(name) == 1 else f"{name}-{list(projects).index(project)}"
    return replace(project, name=name)


def _suited(text: str) -> str:
    return _UNSUITED.sub("-", posixpath.normpath(text)).strip("-.").lower() or "app"
