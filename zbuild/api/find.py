"""Finds the workspace that a folder lies in."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.base.errors import BuildFileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.model.overlay import Overlay

BUILD_FILES = ("zbuild.yaml", "ZPipeline.yaml", "ZPipeline.yml")
_OF_ONE_IMAGE = ("Dockerfile", "Containerfile", "ZImagefile")


def find_root(start: Path, variables: Mapping[str, str], overlay: Overlay) -> Path:
    """Return the root of the workspace that a folder lies in.

    It is the nearest folder upwards with a workspace's build file; but where a workspace further up includes that
    very file, the whole workspace is meant, not the part that cannot stand alone. Raises UsageError when there is none.
    """
    absolute = Path(os.path.abspath(start))  # noqa: PTH100 - resolve() would follow links
    found = [path for folder in (absolute, *absolute.parents) if (path := _build_file(folder))]
    if not found:
        raise UsageError(
            "no-workspace",
            f"there is no zbuild.yaml in {absolute}, nor in any folder above it",
            hint="go to your workspace, name it with -C, or let 'zbuild init' write a zbuild.yaml",
        )
    nearest, *further = found
    overlay = replace(overlay, settings=())  # they decide nothing here, and may be wrong
    including = (path for path in reversed(further) if _includes(path, nearest, variables, overlay))
    return next(including, nearest).parent


def candidates(start: Path) -> tuple[str, ...]:
    """Return every path whose coming or going decides which workspace a folder lies in."""
    absolute = Path(os.path.abspath(start))  # noqa: PTH100
    return tuple(str(folder / name) for folder in (absolute, *absolute.parents) for name in BUILD_FILES)


def _build_file(folder: Path) -> Path | None:
    return next((folder / name for name in BUILD_FILES if (folder / name).is_file()), None)


def _includes(file: Path, other: Path, variables: Mapping[str, str], overlay: Overlay) -> bool:
    """Say whether a workspace reads another build file; one whose text has no `include` is not even parsed."""
    from zbuild.frontend.load import load_project  # noqa: PLC0415 - workspaces seldom lie in each other

    try:
        if b"include" not in file.read_bytes():
            return False
        project = load_project(file.parent, variables=variables, overlay=overlay)
    except (OSError, BuildFileError, UsageError):  # what is set, or a profile, may be the other one's
        return False
    return other.relative_to(file.parent).as_posix() in project.files


def named_file(start: Path, file: str) -> Path:
    """Return the path of a workspace's build file that is named on the command line.

    Raises UsageError when there is none, and for the build file of one image, which is what -f names in docker.
    """
    path = Path(os.path.abspath(start / file))  # noqa: PTH100 - resolve() would follow links
    if not path.is_file():
        raise UsageError("no-build-file", f"there is no file {file}", hint="-f names a zbuild.yaml")
    if path.name.startswith(_OF_ONE_IMAGE):
        hint = f"-f names a zbuild.yaml: write `images: {{NAME: {{file: {file}}}}}` into one, or run 'zbuild init'"
        raise UsageError("not-a-workspace", f"{file} is the build file of one image", hint=hint)
    return path
