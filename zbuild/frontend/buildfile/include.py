"""The globs of `include`: which files of the workspace they match.

`*`, `?` and `[…]` match within a name, `**` any number of folders; as in shells none of them matches a leading dot.
Symbolic links to folders are followed where a pattern names a level, never by `**`, and never out of the workspace.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.frontend.buildfile.find import kind_of_file
from zbuild.frontend.paths import leads_out, resolve_path, workspace_path

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.syntax.nodes import Scalar

_SKIPPED = frozenset({".git", ".zbuild"})
_WILD = re.compile(r"[*?\[]")


def is_wild(text: str) -> bool:
    """Say whether a text is a pattern rather than a name."""
    return _WILD.search(text) is not None


@dataclass(slots=True)
class Globber:
    """Matches globs in one workspace; `folders` are those it has listed, relative to it, with what is in them."""

    root: Path
    folders: dict[str, list[os.DirEntry[str]]] = field(default_factory=dict)

    def match(self, pattern: Scalar, folder: str, diagnostics: Diagnostics) -> list[str] | None:
        """Return the files that a pattern, relative to `folder`, matches, sorted, as paths in the workspace.

        None, with the problem noted, for a pattern that leads out of it.
        """
        parts = _parts(pattern.text)
        up = [part for part in parts if part == ".."]
        start = resolve_path(folder, "/".join(up) or ".")
        if pattern.text.startswith("/") or start is None:
            workspace_path(folder, pattern.text, pattern.span, diagnostics)
            return None
        walk = _Walk(self, tuple(parts[len(up) :]))
        walk.visit(start)
        return sorted(walk.found)

    def build_files(self, pattern: Scalar, folder: str, diagnostics: Diagnostics) -> list[str]:
        """Return the build files that a pattern matches; that there are none is noted."""
        paths = self.match(pattern, folder, diagnostics)
        if paths is None:
            return []
        known = [path for path in paths if kind_of_file(posixpath.basename(path))]
        if not paths and not is_wild(pattern.text):
            diagnostics.error("missing-file", f"there is no file '{pattern.text}'", pattern.span)
        elif not known and not is_wild(posixpath.basename(pattern.text)) and paths:
            hint = "include takes zbuild.yaml, ZImagefile, Containerfile and Dockerfile"
            diagnostics.error("bad-include", f"'{paths[0]}' is not a build file by its name", pattern.span, hint)
        elif not known:
            diagnostics.warning("empty-include", f"'{pattern.text}' matches no build file", pattern.span)
        return known

    def entries(self, folder: str) -> list[os.DirEntry[str]]:
        """List a folder, once."""
        if folder not in self.folders:
            try:
                with os.scandir(self.root / folder) as listing:
                    self.folders[folder] = sorted(listing, key=lambda entry: entry.name)
            except OSError:  # gone, no folder, or not ours to read: nothing in it matches
                self.folders[folder] = []
        return self.folders[folder]


def _parts(pattern: str) -> list[str]:
    """Split a pattern into names, with its `..` moved to the front and repeated `**` made one."""
    parts: list[str] = []
    for part in posixpath.normpath(pattern).split("/"):
        if part != "." and not (part == "**" and parts[-1:] == ["**"]):
            parts.append(part)
    return parts


class _Walk:
    """One pattern's way through the folders; no folder is visited twice for the same rest of the pattern."""

    def __init__(self, globber: Globber, parts: tuple[str, ...]) -> None:
        self._globber = globber
        self._parts = parts
        self._seen: set[tuple[str, int]] = set()
        self.found: set[str] = set()

    def visit(self, start: str) -> None:
        pending = [(start, 0)]
        while pending:
            folder, index = pending.pop()
            if index < len(self._parts) and (folder, index) not in self._seen:
                self._seen.add((folder, index))
                pending += self._step(folder, index)

    def _step(self, folder: str, index: int) -> list[tuple[str, int]]:
        """Match one folder's entries with one part; return what is to be visited next."""
        part, is_last = self._parts[index], index == len(self._parts) - 1
        if part == "**" and not is_last:
            below = [(path, index) for path in self._folders(folder, "*", follow=False)]
            return [(folder, index + 1), *below]
        if is_last:
            self.found.update(self._files(folder, "*" if part == "**" else part))
            return [(path, index) for path in self._folders(folder, "*", follow=False)] if part == "**" else []
        return [(path, index + 1) for path in self._folders(folder, part, follow=True)]

    def _files(self, folder: str, part: str) -> list[str]:
        matching = [entry for entry in self._globber.entries(folder) if _matches(entry.name, part)]
        paths = [_join(folder, entry.name) for entry in matching if entry.is_file()]
        return [path for path in paths if not leads_out(self._globber.root, path)]

    def _folders(self, folder: str, part: str, *, follow: bool) -> list[str]:
        found = []
        for entry in self._globber.entries(folder):
            if entry.name in _SKIPPED or not _matches(entry.name, part) or not entry.is_dir(follow_symlinks=follow):
                continue
            path = _join(folder, entry.name)
            if not entry.is_symlink() or not leads_out(self._globber.root, path):
                found.append(path)
        return found


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _matches(name: str, part: str) -> bool:
    if name == part:
        return True
    return is_wild(part) and (not name.startswith(".") or part.startswith(".")) and fnmatchcase(name, part)
