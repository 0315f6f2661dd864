"""Paths as build files write them: relative, with `/`, inside the workspace."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import BuildFileError

if TYPE_CHECKING:
    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span

MAX_BYTES = 4 * 1024 * 1024
"""The most that a build file may hold."""

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def workspace_path(folder: str, path: str, span: Span, diagnostics: Diagnostics) -> str:
    """Return a path that is written relative to `folder` as one relative to the workspace, normalised ("." = its root).

    A path that leads out is noted as an error, and "." stands in.
    """
    if is_absolute(path):
        diagnostics.error(
            "outside-workspace", f"'{path}' is absolute", span, "write a path relative to this build file"
        )
        return "."
    joined = resolve_path(folder, path)
    if joined is None:
        hint = "everything a build reads must be inside the folder of the workspace's zbuild.yaml"
        diagnostics.error("outside-workspace", f"'{path}' leads out of the workspace", span, hint)
        return "."
    return joined


def is_absolute(path: str) -> bool:
    """Say whether a path starts at a root, or on a drive."""
    return path.startswith("/") or _DRIVE.match(path) is not None


def resolve_path(folder: str, path: str) -> str | None:
    """Return a relative path taken from `folder`, normalised, or None when it leads out of the workspace."""
    joined = posixpath.normpath(posixpath.join(folder, path))
    return None if joined == ".." or joined.startswith("../") else joined


def relative_path(path: str, folder: str) -> str:
    """Return how a path is written in `folder`; both are relative to one place, which need not be known.

    `posixpath.relpath` would ask where zbuild runs, and that folder may be gone.
    """
    to, start = ([part for part in posixpath.normpath(name).split("/") if part != "."] for name in (path, folder))
    shared = 0
    while shared < min(len(to), len(start)) and to[shared] == start[shared]:
        shared += 1
    return "/".join((*[".."] * (len(start) - shared), *to[shared:])) or "."


def leads_out(root: Path, path: str) -> bool:
    """Say whether symbolic links take a workspace-relative path out of the workspace."""
    real_root = os.path.realpath(root)
    real = os.path.realpath(os.path.join(real_root, path))  # noqa: PTH118 - pathlib is ten times slower here
    return real != real_root and not real.startswith(real_root.rstrip("/") + "/")


def read_build_file(root: Path, path: str, span: Span | None = None) -> bytes:
    """Return what a build file holds; `path` is relative to the workspace.

    Raises BuildFileError at `span` when it is not there, is no file, is a link that leads out, cannot be read, or has
    more than MAX_BYTES.
    """
    name = os.path.join(root, path)  # noqa: PTH118 - Path.is_file raises for some names, os.path.isfile never does
    if leads_out(root, path):
        raise _refused("outside-workspace", f"'{path}' is a link that leads out of the workspace", span)
    if not os.path.isfile(name):  # noqa: PTH113 - likewise; and a pipe would block
        problem = "is not a file" if os.path.lexists(name) else "does not exist"
        raise _refused("missing-file", f"the build file '{path}' {problem}", span)
    try:
        data = _first_bytes(name)
    except OSError as error:
        raise _refused("unreadable-file", f"the build file '{path}' cannot be read: {error.strerror}", span) from None
    if len(data) > MAX_BYTES:
        raise _refused("too-large", f"the build file '{path}' has more than {MAX_BYTES} bytes", span)
    return data


def _first_bytes(name: str) -> bytes:
    with Path(name).open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _refused(code: str, message: str, span: Span | None) -> BuildFileError:
    return BuildFileError([Diagnostic(code, message, span)])
