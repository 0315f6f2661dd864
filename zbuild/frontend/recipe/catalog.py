"""The recipes at hand: a workspace's own, which come first, and those that zbuild ships.

A recipe is a folder `NAME/` with `recipe.yaml` (what it is called, takes and is for) and `ZImagefile`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostic, Diagnostics
from zbuild.base.errors import BuildFileError
from zbuild.base.span import Span
from zbuild.base.text import did_you_mean
from zbuild.frontend.paths import read_build_file
from zbuild.frontend.recipe.detect import Rule
from zbuild.resources import data_folder
from zbuild.syntax.nodes import Mapping
from zbuild.syntax.schema import check_schema
from zbuild.syntax.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

METADATA = "recipe.yaml"
BUILD_FILE = "ZImagefile"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A build argument that users of a recipe may set."""

    name: str
    default: str
    description: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `recipe.yaml` says. `detect` are names and patterns of files; `path` is its folder, relative to `root`."""

    name: str
    title: str
    description: str
    aliases: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    detect: tuple[str, ...]
    root: Path
    path: str
    shipped: bool

    def place(self, file: str) -> str:
        """Return what spans call one of its files."""
        return f"recipe:{self.name}/{file}" if self.shipped else f"{self.path}/{file}"


class Catalog:
    """Finds recipes by name or alias, in any case. `seen` are the absolute paths that answers have come from."""

    def __init__(self, root: Path, own: str = "") -> None:
        """`own` is the folder of the workspace's recipes, relative to it; "" when it has none."""
        shipped = data_folder("recipes")
        self._folders = [(root, own, False)] if own else []
        self._folders.append((shipped, ".", True))
        self._recipes: dict[str, Recipe] = {}
        self._listed = False
        self.seen: dict[str, None] = {}

    def recipes(self) -> tuple[Recipe, ...]:
        """Return all recipes, a workspace's own first. Raises BuildFileError for one whose recipe.yaml is wrong."""
        if not self._listed:
            for root, folder, shipped in self._folders:
                self.seen[os.path.normpath(root / folder)] = None
                for name in _folders_in(root / folder):
                    self._recipes.setdefault(name, self._read(root, folder, name, shipped=shipped))
            self._listed = True
        return tuple(self._recipes.values())

    def find(self, name: str, span: Span | None = None) -> Recipe:
        """Return the recipe of that name or alias. Raises BuildFileError, at `span`, when there is none."""
        wanted = name.lower()
        recipes = self.recipes()
        for recipe in recipes:
            if recipe.name.lower() == wanted:
                return recipe
        for recipe in recipes:
            if wanted in (alias.lower() for alias in recipe.aliases):
                return recipe
        names = [recipe.name for recipe in recipes]
        guess = did_you_mean(name, [*names, *(alias for recipe in recipes for alias in recipe.aliases)])
        hint = "\n".join(part for part in (guess, f"there are {', '.join(names)}") if part)
        raise BuildFileError([Diagnostic("unknown-recipe", f"there is no recipe '{name}'", span, hint)])

    def build_file(self, recipe: Recipe) -> Mapping:
        """Read a recipe's ZImagefile. Raises BuildFileError with every problem of it."""
        node = self._checked(recipe, BUILD_FILE, "zimagefile")
        if "stages" not in node:
            hint = "so that what its users add holds for the last stage alone"
            raise _error("bad-recipe", "a recipe's ZImagefile needs 'stages'", node.span, hint)
        return node

    def text(self, recipe: Recipe) -> str:
        """Return a recipe's ZImagefile as it is written."""
        return self._data(recipe, BUILD_FILE).decode("utf-8")

    def rules(self) -> Iterator[Rule]:
        """Yield how the workspace's own recipes are detected; zbuild's are in `detect.RULES`."""
        for recipe in self.recipes():
            if not recipe.shipped and recipe.detect:
                yield Rule(recipe.name, recipe.detect)

    def _read(self, root: Path, folder: str, name: str, *, shipped: bool) -> Recipe:
        path = os.path.normpath(f"{folder}/{name}")
        node = self._checked(Recipe(name, "", "", (), (), (), root, path, shipped), METADATA, "recipe")
        if node.text("name") != name:
            message = f"the recipe in the folder '{name}' calls itself '{node.text('name')}'"
            raise _error("bad-recipe", message, node.place("name"), "make both the same")
        parameters = [
            Parameter(key.text, value.text("default"), value.text("description"))
            for key, value in node.mapping("parameters").items
            if isinstance(value, Mapping)
        ]
        return Recipe(
            name=name,
            title=node.text("title"),
            description=node.text("description").strip(),
            aliases=tuple(alias.text for alias in node.scalars("aliases")),
            parameters=tuple(parameters),
            detect=tuple(pattern.text for pattern in node.scalars("detect")),
            root=root,
            path=path,
            shipped=shipped,
        )

    def _checked(self, recipe: Recipe, file: str, schema: str) -> Mapping:
        place = recipe.place(file)
        node = read_yaml(self._data(recipe, file), place)
        diagnostics = Diagnostics()
        checked = check_schema(node, schema, diagnostics)
        diagnostics.check_in_order()
        return checked if isinstance(checked, Mapping) else Mapping(span=Span(place, 1))

    def _data(self, recipe: Recipe, file: str) -> bytes:
        path = f"{recipe.path}/{file}"
        self.seen[os.path.normpath(recipe.root / path)] = None
        return read_build_file(recipe.root, path)


def _folders_in(path: Path) -> list[str]:
    """Return the names of the folders that hold a recipe.yaml, sorted."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if (Path(entry) / METADATA).is_file())
    except OSError:  # gone, or not ours to read: no recipe in it
        return []


def _error(code: str, message: str, span: Span, hint: str) -> BuildFileError:
    return BuildFileError([Diagnostic(code, message, span, hint)])
