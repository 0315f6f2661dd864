"""What in a project's files tells what to run: for parameters of its recipe that no default can fit.

Files are only looked into as far as that takes; one that cannot be read or understood tells nothing.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_LARGEST = 1 << 20  # bytes of a file that is looked into
_MAIN_PACKAGE = re.compile(r"^package main\b", re.MULTILINE)
_DENO_MODULES = ("main.ts", "mod.ts", "server.ts", "index.ts", "src/main.ts", "main.tsx", "main.js")
_PYTHON_MODULES = ("main", "app", "server", "run")


class Program(NamedTuple):
    """A program of a project: its name, "" for that of the project, and the parameters that make a recipe build it."""

    name: str
    args: tuple[tuple[str, str], ...]


def programs(recipe: str, folder: Path, names: Collection[str]) -> tuple[Program, ...]:
    """Return the programs that a folder holds files of, as far as they show; `names` are its entries."""
    if recipe == "go":
        return _go_programs(folder, names)
    if recipe.startswith("python"):
        module = _python_module(folder, names)
        return (Program("", (("APP_MODULE", module),) if module not in ("", "main") else ()),) if module else ()
    if recipe == "deno":
        module = next((name for name in _DENO_MODULES if (folder / name).is_file()), "")
        return (Program("", (("MAIN", module),) if module != "main.ts" else ()),) if module else ()
    if recipe.startswith("node"):
        found = _is_node_program(folder)
    else:
        found = recipe != "rust" or any((folder / path).exists() for path in ("src/main.rs", "src/bin"))
    return (Program("", ()),) if found else ()


def package_homes(folder: Path, names: Collection[str]) -> tuple[str, ...]:
    """Return the kinds of packages, as beginnings of recipes' names, that have their lock file or setting in a folder.

    Such a folder is the root of npm's, pnpm's, Yarn's or cargo's workspace, or of a go.work.
    """
    found = []
    if "pnpm-workspace.yaml" in names or "workspaces" in _json(folder / "package.json"):
        found.append("node")
    if "workspace" in _toml(folder / "Cargo.toml"):
        found.append("rust")
    if "go.work" in names:
        found.append("go")
    return tuple(found)


def _go_programs(folder: Path, names: Collection[str]) -> tuple[Program, ...]:
    if _is_go_program(folder):
        return (Program("", ()),)
    commands = sorted(path for path in (folder / "cmd").glob("*") if _is_go_program(path)) if "cmd" in names else []
    name = len(commands) > 1
    return tuple(Program(path.name if name else "", (("PACKAGE", f"./cmd/{path.name}"),)) for path in commands)


def _is_go_program(folder: Path) -> bool:
    return any(_MAIN_PACKAGE.search(_text(path)) for path in folder.glob("*.go"))


def _python_module(folder: Path, names: Collection[str]) -> str:
    plain = [name for name in _PYTHON_MODULES if f"{name}.py" in names]
    packages = sorted(path.parent.name for start in (".", "src") for path in (folder / start).glob("*/__main__.py"))
    return next(iter([*plain, *packages]), "")


def _is_node_program(folder: Path) -> bool:
    scripts = _json(folder / "package.json").get("scripts")
    return isinstance(scripts, dict) and "start" in scripts


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
