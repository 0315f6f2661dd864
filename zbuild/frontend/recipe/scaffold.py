"""The files that `zbuild init` writes: a zbuild.yaml for the projects that were found, and what recipes need."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from zbuild.frontend.recipe.catalog import Recipe
    from zbuild.frontend.recipe.projects import FoundProject

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null"})


class NewFile(NamedTuple):
    """A file to be written: its path, relative to the workspace, what it holds, and why it is there."""

    path: str
    text: str
    reason: str


def workspace_file(projects: Sequence[FoundProject]) -> NewFile:
    """Return the zbuild.yaml that lists the projects."""
    included = [project for project in projects if project.is_workspace]
    images = [project for project in projects if not project.is_workspace]
    lines = ['version: "1"', "", "# `zbuild build` builds what changed of all images; `zbuild build NAME` one of them."]
    if included:
        lines += ["", "include:                   # workspaces of their own"]
        lines += [f"  - {yaml_text(posixpath.join(project.folder, project.file))}" for project in included]
    if images:
        lines += ["", "images:", *(line for project in images for line in _image(project))]
    lines += [
        "",
        "# groups:                  # names for several images; `default` is what a bare `zbuild build` builds",
        f"#   default: [{', '.join(project.name for project in images[:3])}]",
    ]
    return NewFile("zbuild.yaml", "\n".join(lines) + "\n", "the workspace")


def image_file(project: FoundProject, recipe: Recipe) -> NewFile:
    """Return the ZImagefile of a project that is built by a recipe, with all that can be set in comments."""
    set_already = dict(project.args)
    lines = [
        f"# {recipe.title}, since {project.because} is here. What it does: zbuild recipes {recipe.name}",
        f"runtime: {recipe.name}",
        "",
        f"{'' if set_already else '# '}args:                    # its parameters and their defaults",
    ]
    for item in recipe.parameters:
        mark = "  " if item.name in set_already else "#   "
        value = set_already.get(item.name, item.default)
        lines.append(f"{mark}{item.name}: {json.dumps(value, ensure_ascii=False)}    # {item.description}")
    lines += ["", "# cmd: [program, argument]  # what is started, when the recipe's own does not fit"]
    lines += ["# env: {NAME: value}       # what it finds in its environment"]
    path = posixpath.normpath(posixpath.join(project.folder, "ZImagefile"))
    return NewFile(path, "\n".join(lines) + "\n", f"{recipe.name}, since {project.because} is there")


def new_files(
    projects: Sequence[FoundProject], recipes: Iterable[Recipe], ignored: Callable[[str, Recipe], str]
) -> Iterator[NewFile]:
    """Yield the files for projects whose recipes there are: the workspace's first.

    `ignored` returns what to keep out of a context for a recipe; "" when the context says so itself.
    """
    known = {recipe.name: recipe for recipe in recipes}
    yield workspace_file(projects)
    contexts: dict[str, None] = {}
    for project in projects:
        if not project.recipe:
            continue
        recipe = known[project.recipe]
        if not project.is_inline:
            yield image_file(project, recipe)
        text = "" if project.context in contexts else ignored(project.context, recipe)
        contexts[project.context] = None
        if text:
            path = posixpath.normpath(posixpath.join(project.context, ".dockerignore"))
            yield NewFile(path, text, "what no image needs, and what may be secret")


def yaml_text(text: str) -> str:
    """Return a text as YAML holds it, in quotes where it could be taken for something else."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def _image(project: FoundProject) -> Iterator[str]:
    told = f"built by its {project.file}" if project.file else f"{project.recipe}, since {project.because} is there"
    yield f"  {yaml_text(project.name)}:    # {told}"
    yield f"    context: {yaml_text(project.context)}"
    if project.file and not project.has_plain_file:
        yield f"    file: {yaml_text(posixpath.normpath(posixpath.join(project.folder, project.file)))}"
    if project.is_inline:
        yield f"    runtime: {project.recipe}"
        pairs = ", ".join(f"{name}: {yaml_text(value)}" for name, value in project.args)
        yield from [f"    args: {{{pairs}}}"] if pairs else []
    yield f"    # tags: [registry.example/{project.name}:latest]"
