"""Build files of every kind: the workspace, and the definition in any build file by its name."""

from __future__ import annotations

import os
import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import BuildFileError
from zbuild.frontend.paths import leads_out, read_build_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from zbuild.base.span import Span
    from zbuild.frontend.lint.choices import LintChoices
    from zbuild.frontend.lint.lint import Linted
    from zbuild.model.definition import Definition
    from zbuild.model.project import Project

IMAGE_FILES = ("ZImagefile", "Containerfile", "Dockerfile")
"""What is looked for in a context without an explicit file, in this order."""

_YAML_PATTERNS = ("ZImagefile*", "*.yml", "*.yaml")


def load_project(root: Path, *, file: str = "", variables: Mapping[str, str] | None = None) -> Project:
    """Read the workspace at `root`, an absolute folder; `file` names its build file where it has another name.

    `variables` are what `--set` gives. Raises UsageError when there is no build file, BuildFileError with every
    problem of all of them.
    """
    from zbuild.frontend.buildfile import read_workspace  # noqa: PLC0415 - Dockerfiles are read without YAML
    from zbuild.frontend.zimagefile import lower_zimagefile  # noqa: PLC0415 - likewise

    return read_workspace(root, file=file, variables=variables or {}, lower_inline=lower_zimagefile)


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
    hint = f"looked for {', '.join(IMAGE_FILES)}; 'file' names another"
    raise _missing(f"there is no build file in '{context}'", span, hint)


def load_definition(root: Path, path: str) -> Definition:
    """Read a build file: `ZImagefile*`, `*.yml` and `*.yaml` as a ZImagefile, any other as a Dockerfile.

    `path` is relative to the workspace at `root`. Raises BuildFileError with every problem of the file.
    """
    return parse_definition(read_build_file(root, path), path, posixpath.dirname(path) or ".")


def parse_definition(data: bytes, path: str, folder: str) -> Definition:
    """Parse what a build file holds; `path` is its name as shown to people, and says of which kind it is.

    `folder` is where the paths of nested builds start, relative to the workspace. Raises BuildFileError.
    """
    if _is_zimagefile(path):
        return _parse_zimagefile(data, path, folder)
    from zbuild.frontend.dockerfile.parse import parse_dockerfile  # noqa: PLC0415 - and YAML without that

    return parse_dockerfile(data, path)


def lint_definition(
    root: Path, path: str, ignored: Callable[[str], bool], choices: LintChoices | None = None
) -> Linted:
    """Read a build file as `load_definition` does, and check it by the rules of lint.

    `ignored` says whether the ignore file of its context leaves a path out. Raises BuildFileError when the file is not
    there or cannot be read; what is wrong in it is among what is returned.
    """
    from zbuild.frontend.lint import lint  # noqa: PLC0415 - not needed when the graph is kept

    data = read_build_file(root, path)
    if not _is_zimagefile(path):
        return lint.lint_dockerfile(data, path, choices, ignored)
    try:
        definition = _parse_zimagefile(data, path, posixpath.dirname(path) or ".")
    except BuildFileError as error:
        return lint.Linted(path, None, error.diagnostics)
    return lint.lint_definition(definition, choices, ignored)


def _is_zimagefile(path: str) -> bool:
    return any(fnmatchcase(posixpath.basename(path), pattern) for pattern in _YAML_PATTERNS)


def _parse_zimagefile(data: bytes, path: str, folder: str) -> Definition:
    from zbuild.frontend.zimagefile import parse_zimagefile  # noqa: PLC0415 - Dockerfiles are read without YAML

    return parse_zimagefile(data, file=path, folder=folder)


def _is_file(root: Path, path: str) -> bool:
    return os.path.isfile(root / path) and not leads_out(root, path)  # noqa: PTH113 - never raises


def _missing(message: str, span: Span | None, hint: str = "") -> BuildFileError:
    return BuildFileError([Diagnostic("missing-file", message, span, hint)])
