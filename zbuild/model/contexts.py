"""Build contexts by name: what takes the place of a base, a stage or an image that a build file names."""

from __future__ import annotations

from typing import TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.model.definition import NestedBuild
from zbuild.model.remote import GitOrigin


@dataclass(frozen=True, slots=True)
class FolderContext:
    """The files of a folder: a path relative to the workspace, or an absolute one. It may lie outside."""

    path: str


@dataclass(frozen=True, slots=True)
class ReferenceContext:
    """An image by its reference, or `scratch`."""

    reference: str


NamedContext: TypeAlias = FolderContext | ReferenceContext | NestedBuild | GitOrigin
"""A folder, an image of a registry, one of the workspace (as in `build: {image: NAME}`), or a commit's files."""

NamedContexts: TypeAlias = "tuple[tuple[str, NamedContext], ...]"
