"""Lint: the build files of a workspace's images, or any build files."""

from __future__ import annotations

import os
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.api.find import BUILD_FILES
from zbuild.base.errors import BuildFileError, UsageError
from zbuild.base.gomatch import PatternError
from zbuild.frontend.lint.choices import LintChoices
from zbuild.frontend.lint.lint import Linted, lint_definition
from zbuild.frontend.load import find_definition, open_catalog
from zbuild.frontend.load import lint_definition as lint_build_file
from zbuild.graph.select import select
from zbuild.model.definition import NestedBuild
from zbuild.plan.ignore import ignore_candidates, matches, read_ignore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.base.span import Span
    from zbuild.model.project import ImageSpec, Project

__all__ = ["IgnoredPaths", "LintChoices", "Linted", "lint_files", "lint_images"]


class IgnoredPaths:
    """Says of paths whether the ignore file of a context leaves them out; it is read when it is first asked.

    `context` and `file` are relative to `root`; `file` is "" for an image defined inline. `seen` takes the paths that
    were looked at. With a pattern that takes files back in, nothing counts as left out, as in BuildKit: of a folder
    that is left out, some files may be there.
    """

    def __init__(self, root: Path, context: str, file: str, seen: dict[str, None] | None = None) -> None:
        self._context = root / context
        self._file = root / file if file else None
        self._seen = {} if seen is None else seen
        self._patterns: tuple[str, ...] | None = None

    def __call__(self, path: str) -> bool:
        """Say whether a path, relative to the context, is left out."""
        if self._patterns is None:
            self._patterns = self._read()
        return matches(self._patterns, path.lstrip("/"))

    def _read(self) -> tuple[str, ...]:
        self._seen.update(dict.fromkeys(map(os.path.normpath, ignore_candidates(self._context, self._file))))
        try:
            patterns = read_ignore(self._context, self._file)
        except (PatternError, OSError):  # the build tells
            return ()
        return () if any(pattern.startswith("!") for pattern in patterns) else patterns


def lint_images(project: Project, targets: Sequence[str], choices: LintChoices) -> tuple[Linted, ...]:
    """Check the build files of the images that targets name, and of what those build first; without targets, of all.

    Each file is checked once. Raises UsageError for unknown targets.
    """
    wanted = {item.image for item in select(project, targets)} if targets else {spec.name for spec in project.images}
    walk = _Walk(Path(project.root), choices, project.recipes)
    for spec in project.images:
        if spec.name in wanted:
            walk.add_image(spec)
    return walk.finish()


def lint_files(files: Sequence[Path], choices: LintChoices) -> tuple[Linted, ...]:
    """Check build files anywhere; the folder of each counts as its context. Raises BuildFileError for missing ones."""
    return tuple(_lint_file(file, choices) for file in files)


def _lint_file(file: Path, choices: LintChoices) -> Linted:
    if file.name in BUILD_FILES:
        hint = "to check the images of a workspace, name none of them"
        raise UsageError("usage", f"{file.name} is a workspace, and lint checks the build files of images", hint=hint)
    path = os.path.abspath(file)  # noqa: PTH100 - resolve() would follow links
    root = Path(os.sep)  # outside of a workspace, links may lead anywhere
    return lint_build_file(root, path, IgnoredPaths(root, os.path.dirname(path), path), choices)  # noqa: PTH120


class _Walk:
    """Goes from build file to build file."""

    def __init__(self, root: Path, choices: LintChoices, recipes: str) -> None:
        self._root = root
        self._choices = choices
        self._recipes = partial(open_catalog, root, recipes)
        self._done: dict[tuple[str, str], Linted] = {}
        self._pending: deque[tuple[str, str, Span | None]] = deque()

    def add_image(self, spec: ImageSpec) -> None:
        """Check an image that is defined inline; remember the build file of any other."""
        if spec.definition is None:
            self._pending.append((spec.context, spec.file, spec.span))
            return
        ignored = IgnoredPaths(self._root, spec.context, "")
        self._keep(("", spec.name), lint_definition(spec.definition, self._choices, ignored))

    def finish(self) -> tuple[Linted, ...]:
        """Check what is pending, and what turns up on the way."""
        while self._pending:
            context, file, span = self._pending.popleft()
            try:
                path = find_definition(self._root, context, file, span)
                if ("file", path) not in self._done:
                    ignored = IgnoredPaths(self._root, context, path)
                    self._keep(("file", path), self._lint(path, ignored))
            except BuildFileError as error:
                self._done[context, file] = Linted(file or context, None, error.diagnostics)
        return tuple(self._done.values())

    def _lint(self, path: str, ignored: IgnoredPaths) -> Linted:
        return lint_build_file(self._root, path, ignored, self._choices, self._recipes)

    def _keep(self, key: tuple[str, str], linted: Linted) -> None:
        self._done[key] = linted
        for stage in linted.definition.stages if linted.definition else ():
            if isinstance(stage.base, NestedBuild) and not stage.base.image:
                self._pending.append((stage.base.context, stage.base.file, stage.base.span))
