"""Recipes, and workspaces begun with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.errors import UsageError
from zbuild.frontend.load import open_catalog
from zbuild.frontend.recipe.projects import find_projects
from zbuild.frontend.recipe.scaffold import new_files

IGNORE_FILE = ".dockerignore"
_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_FOREIGN = (*_COMPOSE, "docker-bake.json")

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zbuild.frontend.recipe.catalog import Recipe
    from zbuild.frontend.recipe.scaffold import NewFile


def list_recipes(root: Path, own: str = "") -> tuple[Recipe, ...]:
    """Return the recipes of the workspace at `root`, whose own are in its folder `own`, and then zbuild's.

    Raises BuildFileError for a recipe that is wrong.
    """
    return open_catalog(root, own).recipes()


def show_recipe(root: Path, name: str, own: str = "") -> tuple[Recipe, str]:
    """Return the recipe of a name or alias, and its ZImagefile's text. Raises BuildFileError when there is none."""
    catalog = open_catalog(root, own)
    recipe = catalog.find(name)
    return recipe, catalog.text(recipe)


def plan_workspace(root: Path) -> tuple[NewFile, ...]:
    """Return the files that would make a workspace of the projects in a folder; nothing is written.

    Raises UsageError when there is no project that can be built.
    """
    recipes = open_catalog(root).recipes()
    names = {recipe.name for recipe in recipes}
    projects = [project for project in find_projects(root) if project.file or project.recipe in names]
    if not projects:
        hint = "'zbuild recipes' tells what is looked for; without a recipe, write a ZImagefile or Dockerfile first"
        hint = next((f"'zbuild import {name}' reads {name}, which is there" for name in foreign_files(root)), hint)
        raise UsageError("no-project", f"there is no project in {root} that zbuild knows how to build", hint=hint)

    def ignored(context: str, recipe: Recipe) -> str:
        example = recipe.root / recipe.path / "example" / IGNORE_FILE
        has_one = (root / context / IGNORE_FILE).exists() or not example.is_file()
        return "" if has_one else example.read_text(encoding="utf-8")

    return tuple(new_files(projects, recipes, ignored))


def foreign_files(root: Path) -> tuple[str, ...]:
    """Return the names of other tools' files in a folder that `import_file` reads."""
    return tuple(name for name in _FOREIGN if (root / name).is_file())


def write_files(root: Path, files: Sequence[NewFile], *, force: bool = False) -> None:
    """Write files; without `force` none when one of them is there already.

    Raises UsageError naming those.
    """
    there = [file.path for file in files if (root / file.path).exists()]
    if there and not force:
        hint = "--force overwrites, --dry-run shows what would be written"
        raise UsageError("file-exists", f"there is already {', '.join(there)}", hint=hint)
    for file in files:
        (root / file.path).write_text(file.text, encoding="utf-8")
