"""Build files of every kind: the workspace, and the definition in any build file by its name."""

from __future__ import annotations

import os
import posixpath
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import BuildFileError
from zbuild.frontend.paths import leads_out, read_build_file
from zbuild.syntax.nodes import Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping as Dict

    from zbuild.base.span import Span
    from zbuild.frontend.lint.choices import LintChoices
    from zbuild.frontend.lint.lint import Linted
    from zbuild.frontend.recipe.catalog import Catalog
    from zbuild.frontend.recipe.detect import Detected
    from zbuild.frontend.recipe.expand import Lower
    from zbuild.model.definition import Definition
    from zbuild.model.overlay import Overlay
    from zbuild.model.project import Project

IMAGE_FILES = ("ZImagefile", "Containerfile", "Dockerfile")
"""What is looked for in a context without an explicit file, in this order."""

RECIPE = "recipe:"
"""Before a recipe's name, this stands for a build file: what `--detect` finds for a context that has none."""

_YAML_PATTERNS = ("ZImagefile*", "*.yml", "*.yaml")


def load_project(
    root: Path, *, file: str = "", variables: Dict[str, str] | None = None, overlay: Overlay | None = None
) -> Project:
    """Read the workspace at `root`, an absolute folder; `file` names its build file where it has another name.

    `variables` are what `--set` gives, `overlay` what else is laid over the file. Raises UsageError when there is no
    build file, BuildFileError with every problem of all of them.
    """
    from zbuild.frontend.buildfile import Given, read_workspace  # noqa: PLC0415 - Dockerfiles are read without YAML

    catalogs: dict[str, Catalog] = {}

    def lower_inline(node: Mapping, *, file: str, folder: str, recipes: str) -> Definition:
        from zbuild.frontend.zimagefile import lower_zimagefile  # noqa: PLC0415 - likewise

        if "runtime" not in node:
            return lower_zimagefile(node, file=file, folder=folder)
        catalog = catalogs.setdefault(recipes, open_catalog(root, recipes))
        return _lower_runtime(catalog)(node, file=file, folder=folder)

    given = Given(variables or {}, os.environ)
    project = read_workspace(root, file=file, overlay=overlay, given=given, lower_inline=lower_inline)
    seen = [path for catalog in catalogs.values() for path in catalog.seen]
    return replace(project, files=(*project.files, *seen)) if seen else project


def find_recipes(root: Path, file: str = "") -> str:
    """Return the folder of recipes that a workspace's build file names, whatever else may be wrong in it; "" for none.

    So that recipes are still listed to those who have misspelt one.
    """
    from zbuild.frontend.buildfile.find import find_workspace_file  # noqa: PLC0415 - as above
    from zbuild.syntax.yaml_reader import read_yaml  # noqa: PLC0415 - likewise

    try:
        name = file or find_workspace_file(root)
        node = read_yaml(read_build_file(root, name), name)
    except BuildFileError:
        return ""
    folder = posixpath.normpath(node.text("recipes")) if isinstance(node, Mapping) and "recipes" in node else ""
    outside = folder.startswith(("/", "..")) or leads_out(root, folder)
    return "" if outside or not os.path.isdir(root / folder) else folder  # noqa: PTH112 - never raises


def open_catalog(root: Path, recipes: str = "") -> Catalog:
    """Return the recipes of the workspace at `root` whose own are in its folder `recipes`, and zbuild's."""
    from zbuild.frontend.recipe.catalog import Catalog  # noqa: PLC0415 - few build files name a recipe

    return Catalog(root, recipes)


def detect_definition(root: Path, context: str, catalog: Catalog) -> Detected | None:
    """Return the recipe that the files of a context suggest; `load_definition` takes `recipe:NAME` for a path."""
    from zbuild.frontend.recipe.detect import detect_recipe  # noqa: PLC0415 - only --detect asks

    try:
        names = [] if leads_out(root, context) else [path.name for path in (root / context).iterdir()]
    except OSError:
        return None
    return detect_recipe(names, catalog.rules())


def find_definition(root: Path, context: str, file: str, span: Span | None) -> str:
    """Return the build file of a context; all paths are relative to the workspace at `root`.

    `file` is the explicit one, if not "". Raises BuildFileError, at `span`, when there is none.
    """
    if file:
        if not _is_file(root, file):
            raise _missing(f"there is no build file '{file}'", span)
        return file
    for name in IMAGE_FILES:
        path = posixpath.normpath(posixpath.join(context, name))
        if _is_file(root, path):
            return path
    if not os.path.isdir(root / context):  # noqa: PTH112 - never raises
        raise BuildFileError([Diagnostic("missing-folder", f"there is no folder '{context}'", span)])
    hint = f"looked for {', '.join(IMAGE_FILES)}; 'file' names another, --detect lets zbuild choose a recipe"
    raise _missing(f"there is no build file in '{context}'", span, hint)


def is_zimagefile(path: str) -> bool:
    """Say whether a build file is read as a ZImagefile, by its name."""
    return any(fnmatchcase(posixpath.basename(path), pattern) for pattern in _YAML_PATTERNS)


def load_definition(root: Path, path: str, recipes: Callable[[], Catalog] | None = None) -> Definition:
    """Read a build file: `ZImagefile*`, `*.yml` and `*.yaml` as a ZImagefile, any other as a Dockerfile.

    `path` is relative to the workspace at `root`, or `recipe:NAME` for a recipe as it is; `recipes` opens those at
    hand, else they are zbuild's own. Raises BuildFileError with every problem of the file.
    """
    if is_recipe(root, path):
        node = Mapping(((Scalar("runtime"), Scalar(path.removeprefix(RECIPE))),))
        return _lower_runtime(recipes() if recipes else open_catalog(root))(node, file=path, folder=".")
    folder = posixpath.dirname(path) or "."
    return parse_definition(read_build_file(root, path), path, folder, recipes or (lambda: open_catalog(root)))


def parse_definition(data: bytes, path: str, folder: str, recipes: Callable[[], Catalog] | None = None) -> Definition:
    """Parse what a build file holds; `path` is its name as shown to people, and says of which kind it is.

    `folder` is where the paths of nested builds start, relative to the workspace; without `recipes`, `runtime` means
    those that zbuild ships. Raises BuildFileError.
    """
    if is_zimagefile(path):
        return _parse_zimagefile(data, path, folder, recipes or (lambda: open_catalog(Path())))
    from zbuild.frontend.dockerfile.parse import parse_dockerfile  # noqa: PLC0415 - and YAML without that

    return parse_dockerfile(data, path)


def lint_definition(
    root: Path,
    path: str,
    ignored: Callable[[str], bool],
    choices: LintChoices | None = None,
    recipes: Callable[[], Catalog] | None = None,
) -> Linted:
    """Read a build file as `load_definition` does, and check it by the rules of lint.

    `ignored` says whether the ignore file of its context leaves a path out. Raises BuildFileError when the file is not
    there or cannot be read; what is wrong in it is among what is returned.
    """
    from zbuild.frontend.lint import lint  # noqa: PLC0415 - not needed when the graph is kept

    if is_recipe(root, path):
        return lint.lint_definition(load_definition(root, path, recipes), choices, ignored)
    data = read_build_file(root, path)
    if not is_zimagefile(path):
        return lint.lint_dockerfile(data, path, choices, ignored)
    try:
        folder = posixpath.dirname(path) or "."
        definition = _parse_zimagefile(data, path, folder, recipes or (lambda: open_catalog(root)))
    except BuildFileError as error:
        return lint.Linted(path, None, error.diagnostics)
    return lint.lint_definition(definition, choices, ignored)


def is_recipe(root: Path, path: str) -> bool:
    """Say whether a path stands for a recipe; a file may have such a name, too."""
    return path.startswith(RECIPE) and not _is_file(root, path)


def _parse_zimagefile(data: bytes, path: str, folder: str, recipes: Callable[[], Catalog]) -> Definition:
    from zbuild.frontend.zimagefile import parse_zimagefile  # noqa: PLC0415 - Dockerfiles are read without YAML

    def lower_runtime(node: Mapping, *, file: str, folder: str) -> Definition:
        return _lower_runtime(recipes())(node, file=file, folder=folder)

    return parse_zimagefile(data, file=path, folder=folder, lower_runtime=lower_runtime)


def _lower_runtime(catalog: Catalog) -> Lower:
    """Return what makes a definition of `runtime: NAME`, by the recipes of a catalog."""
    from zbuild.frontend.recipe.expand import expand_recipe  # noqa: PLC0415 - few build files name a recipe
    from zbuild.frontend.zimagefile import lower_zimagefile  # noqa: PLC0415 - likewise

    def lower(node: Mapping, *, file: str, folder: str) -> Definition:
        return expand_recipe(node, catalog, lower_zimagefile, file=file, folder=folder)

    return lower


def _is_file(root: Path, path: str) -> bool:
    return os.path.isfile(root / path) and not leads_out(root, path)  # noqa: PTH113 - never raises


def _missing(message: str, span: Span | None, hint: str = "") -> BuildFileError:
    return BuildFileError([Diagnostic("missing-file", message, span, hint)])
