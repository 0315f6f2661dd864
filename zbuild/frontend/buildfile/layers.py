"""What is laid over a build file before anything of it is looked at: override files and profiles (ADR 0009)."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from zbuild.base.errors import UsageError
from zbuild.base.text import did_you_mean
from zbuild.frontend.buildfile.merge import merge_files
from zbuild.frontend.buildfile.rebase import rebased_file
from zbuild.frontend.paths import read_build_file
from zbuild.syntax.nodes import Mapping
from zbuild.syntax.yaml_reader import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.base.span import Span
    from zbuild.model.overlay import Overlay
    from zbuild.syntax.nodes import Node

OVERRIDE_NAME = "zbuild.override.yaml"
"""Laid over the zbuild.yaml beside it, when no other file is named."""


class Layers:
    """Reads build files with what lies over them; `files` are those that were read.

    `missing` are the files that would have been read, had they been there.
    """

    def __init__(self, root: Path, overlay: Overlay, *, named: bool) -> None:
        """`named`: the workspace's build file was named, so nothing beside it is looked for."""
        self._root = root
        self._overlay = overlay
        self._named = named
        self._profiles: dict[str, None] = {}
        self.files: dict[str, None] = {}
        self.missing: tuple[str, ...] = ()
        self._texts: list[bytes] = []

    def read(self, path: str, span: Span | None) -> Node:
        """Return a build file; over the first one lie the override files, over each of them the profiles.

        Raises BuildFileError for a file that cannot be read.
        """
        node = self._one(path, span)
        if len(self.files) == 1:
            folder = posixpath.dirname(path) or "."
            for further in self._overrides(path):
                other = self._one(further, None)
                node = merge_files(node, rebased_file(other, posixpath.dirname(further) or ".", folder))
        return self._with_profiles(node)

    def take_texts(self) -> list[bytes]:
        """Return what the files hold that were read since this was asked last."""
        texts, self._texts = self._texts, []
        return texts

    def check_profiles(self) -> None:
        """Raise UsageError for a profile that no build file has."""
        for name in self._overlay.profiles:
            if name not in self._profiles:
                known = f"the profiles are {', '.join(self._profiles)}" if self._profiles else "there are none"
                hint = did_you_mean(name, self._profiles) or known
                raise UsageError("unknown-profile", f"no build file has a profile '{name}'", hint=hint)

    def _one(self, path: str, span: Span | None) -> Node:
        self.files[path] = None
        data = read_build_file(self._root, path, span)
        node = read_yaml(data, path)
        self._texts.append(data)
        return node

    def _overrides(self, path: str) -> list[str]:
        beside = [OVERRIDE_NAME] if path == "zbuild.yaml" and not self._named else []
        there = [name for name in beside if os.path.lexists(self._root / name)]
        self.missing = tuple(name for name in beside if name not in there)
        return [*there, *map(posixpath.normpath, self._overlay.files)]

    def _with_profiles(self, node: Node) -> Node:
        profiles = node.mapping("profiles") if isinstance(node, Mapping) else Mapping()
        self._profiles |= dict.fromkeys(name.text for name, _ in profiles.items)
        for name in self._overlay.profiles:
            profile = profiles.get(name)
            node = merge_files(node, profile) if isinstance(profile, Mapping) else node
        return node
