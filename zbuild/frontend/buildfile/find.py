"""Which files are build files, by their names."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, TypeAlias

from zbuild.base.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

Kind: TypeAlias = Literal["workspace", "image"]

WORKSPACE_NAMES = ("zbuild.yaml", "ZPipeline.yaml", "ZPipeline.yml")
_IMAGE_PATTERNS = ("ZImagefile*", "Dockerfile*", "Containerfile*", "*.Dockerfile", "*.dockerfile")


def kind_of_file(name: str) -> Kind | None:
    """Return what a file of that name holds: a workspace's images, one image, or neither."""
    if name in WORKSPACE_NAMES:
        return "workspace"
    ignore_file = name.endswith(".dockerignore")
    return "image" if not ignore_file and any(fnmatchcase(name, pattern) for pattern in _IMAGE_PATTERNS) else None


def find_workspace_file(root: Path) -> str:
    """Return the name of the workspace's build file.

    Raises UsageError when there is none.
    """
    for name in WORKSPACE_NAMES:
        if os.path.isfile(root / name):  # noqa: PTH113 - never raises
            return name
    hint = f"write one, or name it with -f (looked for {', '.join(WORKSPACE_NAMES)})"
    raise UsageError("no-workspace", f"there is no zbuild.yaml in {root}", hint=hint)
