"""Finds what a COPY's sources name in a tree, without ever leaving it.

A source is relative to the tree's root; a leading `/` and `..` stop there, and a symbolic link on the way is resolved
as if the root were `/` (BuildKit's rule). Wildcards hold per path component (Go's filepath.Match).
"""

from __future__ import annotations

import os
import stat
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from zbuild.base.gomatch import has_wildcard, name_matcher
from zbuild.base.text import did_you_mean

if TYPE_CHECKING:
    from zbuild.plan.ignore import Ignore

_MAX_LINKS = 40
Stamp: TypeAlias = tuple[int, int, int, int]


class SelectionError(ValueError):
    """A source that cannot be taken: `pattern` as written, and what may have been meant ("" = unknown)."""

    def __init__(self, pattern: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.pattern = pattern
        self.message = message
        self.hint = hint


class Source(NamedTuple):
    """Something a pattern names: `name` is its path as matched, `path` the one with links resolved."""

    name: bytes
    path: bytes
    info: os.stat_result


class Seen:
    """What a selection looked at beyond the entries it returned; all paths are relative to the root.

    `folders` were listed, `paths` looked up by name (None: nothing was there); `devices` are their file systems.
    """

    __slots__ = ("devices", "folders", "paths")

    def __init__(self) -> None:
        self.folders: dict[bytes, Stamp] = {}
        self.paths: dict[bytes, Stamp | None] = {}
        self.devices: set[int] = set()


def stamp_of(info: os.stat_result) -> Stamp:
    """Return (size, mtime_ns, ctime_ns, inode): what changes whenever a file does."""
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino


def join(folder: bytes, name: bytes) -> bytes:
    """Join relative paths; the root is `b""`."""
    return folder + b"/" + name if folder else name


class Finder:
    """Looks sources up in one tree, less what an ignore list leaves out."""

    def __init__(self, root: bytes, ignore: Ignore | None, seen: Seen) -> None:
        self._prefix = root.rstrip(b"/") + b"/"
        self._ignore = ignore
        self._seen = seen

    def find(self, pattern: str, *, any_depth: bool = False) -> list[Source]:
        """Return what a pattern names, sorted by name; nothing when a wildcard matches nothing.

        `any_depth`: the component `**` stands for any number of folders. Raises SelectionError when a plain name is
        not there or is ignored, and gomatch.PatternError.
        """
        names = components(pattern)
        found = [Source(b"", b"", os.stat(self._prefix))]
        self._seen.devices.add(found[0].info.st_dev)
        for at, name in enumerate(names):
            if any_depth and name == "**":
                found = [deep for source in found for deep in self._all_folders(source)]
            elif has_wildcard(name):
                found = [match for source in found for match in self._matching(source, name)]
            else:
                found = [child for source in found if (child := self._child(source, os.fsencode(name)))]
            if not found and not any(has_wildcard(earlier) for earlier in names[: at + 1]):
                raise self._missing(pattern, names, at)
        found = [source for source in found if not self._left_out(source)]
        if not found and names and not has_wildcard("".join(names)):
            raise _ignored(pattern)
        return list({source.name: source for source in sorted(found, key=_source_name)}.values())

    def lookup(self, path: bytes) -> Source | None:
        """Resolve one path, ignored or not; None when there is nothing."""
        resolved = self._resolve(b"", path)
        return Source(path, *resolved) if resolved else None

    def no_match(self, pattern: str, *, any_depth: bool = False) -> SelectionError:
        """Return the error for a wildcard that matches nothing."""
        message = f"no file matches '{pattern}'"
        if self._ignore and Finder(self._prefix, None, Seen()).find(pattern, any_depth=any_depth):
            message = f"all that '{pattern}' matches is left out by the ignore file"
        return SelectionError(pattern, message)

    def list_folder(self, folder: bytes) -> list[os.DirEntry[bytes]]:
        """Return a folder's entries sorted by name, taking note of the folder; one that has gone is empty.

        Raises SelectionError when it cannot be read.
        """
        where = self._prefix + folder
        try:
            info = os.lstat(where)
            if not stat.S_ISDIR(info.st_mode):
                return []
            self._seen.devices.add(info.st_dev)
            self._seen.folders[folder] = stamp_of(info)  # from before the listing: a change in between will show
            with os.scandir(where) as entries:
                return sorted(entries, key=_entry_name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            message = f"cannot read folder '{os.fsdecode(where)}': {error.strerror}"
            raise SelectionError(os.fsdecode(folder), message) from error

    def _child(self, source: Source, name: bytes) -> Source | None:
        resolved = self._resolve(source.path, name) if stat.S_ISDIR(source.info.st_mode) else None
        if resolved is None:
            return None
        return Source(join(source.name, name), *resolved)

    def _matching(self, source: Source, pattern: str) -> list[Source]:
        matcher = name_matcher(pattern)
        if not stat.S_ISDIR(source.info.st_mode):
            return []
        names = [entry.name for entry in self.list_folder(source.path) if matcher.fullmatch(os.fsdecode(entry.name))]
        children = [child for name in names if (child := self._child(source, name))]
        return [child for child in children if not self._left_out(child)]

    def _all_folders(self, source: Source) -> list[Source]:
        """Return a folder and all below it; links are not followed, so that this ends."""
        found: list[Source] = []
        waiting = deque([source])
        while waiting:
            folder = waiting.popleft()
            if not stat.S_ISDIR(folder.info.st_mode) or self._left_out(folder):
                continue
            found.append(folder)
            for entry in self.list_folder(folder.path):
                if entry.is_dir(follow_symlinks=False):
                    info = entry.stat(follow_symlinks=False)
                    waiting.append(Source(join(folder.name, entry.name), join(folder.path, entry.name), info))
        return found

    def _left_out(self, source: Source) -> bool:
        """Tell whether the ignore list leaves a source out, as it is named or where its links lead."""
        ignore = self._ignore
        if ignore is None or not source.path:
            return False
        folder = stat.S_ISDIR(source.info.st_mode)
        return any(
            ignore.excluded(path) and not (folder and ignore.may_contain_included(path))
            for path in {source.name, source.path}
        )

    def _resolve(self, folder: bytes, name: bytes) -> tuple[bytes, os.stat_result] | None:
        """Follow a name, and the links it leads to, from a resolved folder; None when there is nothing."""
        waiting = _parts(name)
        path = folder
        info: os.stat_result | None = None
        links = 0
        while waiting:
            part = waiting.pop()
            if part == b"..":
                path, info = path.rpartition(b"/")[0], None
                continue
            step = join(path, part)
            info = self._lstat(step)
            if info is None:
                return None
            if not stat.S_ISLNK(info.st_mode):
                path = step
                continue
            links += 1
            target = self._readlink(step)
            if links > _MAX_LINKS or target is None:
                return None
            path = b"" if target.startswith(b"/") else path
            waiting.extend(_parts(target))
            info = None
        info = info or self._lstat(path)
        return (path, info) if info else None

    def _lstat(self, path: bytes) -> os.stat_result | None:
        try:
            info = os.lstat(self._prefix + path)
        except (FileNotFoundError, NotADirectoryError):
            self._seen.paths[path] = None
            return None
        self._seen.devices.add(info.st_dev)
        if not stat.S_ISDIR(info.st_mode):
            self._seen.paths[path] = stamp_of(info)
        return info

    def _readlink(self, path: bytes) -> bytes | None:
        try:
            return os.readlink(self._prefix + path)
        except OSError:  # it was a link a moment ago
            return None

    def _missing(self, pattern: str, names: list[str], at: int) -> SelectionError:
        """Say what is not there, and which name beside it is near."""
        parent = "/".join(names[:at])
        where = f" (no '{'/'.join(names[: at + 1])}')" if at + 1 < len(names) else ""
        folder = self.lookup(os.fsencode(parent))
        beside = [os.fsdecode(entry.name) for entry in self.list_folder(folder.path)] if folder else []
        if names[at] in beside:
            return SelectionError(pattern, f"'{pattern}' is a link that leads nowhere within the tree{where}")
        return SelectionError(pattern, f"'{pattern}' is not there{where}", did_you_mean(names[at], beside))


def components(pattern: str) -> list[str]:
    """Split a source into names; `.` and empty ones are dropped and `..` takes one back, never past the root."""
    names: list[str] = []
    for name in pattern.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return names


def _ignored(pattern: str) -> SelectionError:
    return SelectionError(
        pattern, f"'{pattern}' is left out by the ignore file", "take the pattern out, or add one that begins with '!'"
    )


def _parts(path: bytes) -> list[bytes]:
    """Return the names of a path, last one first."""
    return [part for part in reversed(path.split(b"/")) if part not in (b"", b".")]


def _entry_name(entry: os.DirEntry[bytes]) -> bytes:
    return entry.name


def _source_name(source: Source) -> bytes:
    return source.name
