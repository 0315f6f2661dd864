"""Recipes that stand in for build files: where a context has none, and users asked for it."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.errors import BuildFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zbuild.frontend.recipe.catalog import Catalog


class StandIns:
    """Chooses recipes for contexts: `runtime`, if not "", or with `detect` the one that a context's files suggest."""

    def __init__(self, root: Path, catalog: Callable[[], Catalog], *, detect: bool, runtime: str) -> None:
        self._root = root
        self._catalog = catalog
        self._detect = detect
        self._runtime = runtime
        self._notices: dict[str, str] = {}

    @property
    def notices(self) -> tuple[str, ...]:
        """What users should know: one line for each context that a recipe builds, or that `runtime` was of no use."""
        if self._runtime and not self._notices:
            return (f"every context has a build file: the recipe {self._runtime} is not needed",)
        return tuple(self._notices.values())

    def choose(self, context: str, missing: BuildFileError) -> str:
        """Return what stands for the recipe that builds a context without a build file.

        Raises `missing`, whose hint then tells what to do, when none is wanted or known, and BuildFileError for an
        unknown `runtime`.
        """
        from zbuild.frontend.load import RECIPE, detect_definition  # noqa: PLC0415 - most contexts have a build file

        if self._runtime:
            name, why = self._catalog().find(self._runtime).name, "as was asked for"
        else:
            found = detect_definition(self._root, context, self._catalog())
            if found is None:
                raise missing
            if not self._detect:
                path = posixpath.normpath(posixpath.join(context, "ZImagefile"))
                hint = f"{found.file} is there: write 'runtime: {found.recipe}' into {path}, or use --detect"
                raise BuildFileError([replace(item, hint=hint) for item in missing.diagnostics]) from missing
            name, why = found.recipe, f"since {found.file} is there"
        self._notices[context] = f"'{context}' has no build file: it is built as {name}, {why}"
        return f"{RECIPE}{name}"
