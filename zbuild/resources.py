"""Finds the data zbuild ships: `schemas/` and `recipes/`, in a wheel, an editable install or a checkout."""

from __future__ import annotations

from pathlib import Path

from zbuild.base.errors import StateError

_PACKAGE = Path(__file__).parent


def data_folder(name: str) -> Path:
    """Return the folder of shipped data called `name` (`schemas` or `recipes`).

    Raises StateError when the installation lacks it.
    """
    for folder in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise StateError("broken-install", f"zbuild's own '{name}' folder is missing", hint="install zbuild again")
