"""Which recipe a folder wants, by the names of its files alone."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class Rule(NamedTuple):
    """A folder that has a file matching one of `files`, and none matching `unless`, wants `recipe`."""

    recipe: str
    files: tuple[str, ...]
    unless: tuple[str, ...] = ()


_LINUX_SIGNS = ("*.sh", "*.so", "*.so.*", "Makefile", "CMakeLists.txt", "configure", "meson.build")

RULES = (
    Rule("wasm", ("cargo-component.toml", "componentize-py.config")),
    Rule("bun", ("bun.lockb", "bun.lock")),
    Rule("deno", ("deno.json", "deno.jsonc")),
    Rule("node22", ("package.json",)),
    Rule("rust", ("Cargo.toml",)),
    Rule("python313", ("requirements.txt", "pyproject.toml", "setup.py")),
    Rule("go", ("go.mod",)),
    Rule("windows-servercore", ("*.sln", "*.csproj", "*.vcxproj")),
    Rule("windows-nanoserver", ("*.exe",), _LINUX_SIGNS),
)
"""In the order they are tried. What marks a special kind comes first: such projects have the common files as well."""


class Detected(NamedTuple):
    """The recipe, and the file that told."""

    recipe: str
    file: str


def detect_recipe(names: Collection[str], own: Iterable[Rule] = ()) -> Detected | None:
    """Return the recipe for a folder that holds files of these names; `own` rules come before zbuild's."""
    ordered = sorted(names)
    for rule in (*own, *RULES):
        found = _first(ordered, rule.files)
        if found and not _first(ordered, rule.unless):
            return Detected(rule.recipe, found)
    return None


def _first(names: Iterable[str], patterns: tuple[str, ...]) -> str:
    return next((name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)), "")
