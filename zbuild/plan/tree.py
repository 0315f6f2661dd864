"""Which files a COPY lands, and where: docker's rules for sources, over a tree on this machine.

Paths are bytes. Nothing is opened but folders, and links inside trees stay links.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from zbuild.base.filemode import plain_mode
from zbuild.base.gomatch import has_wildcard
from zbuild.plan.ignore import Ignore, normal_pattern
from zbuild.plan.sources import Finder, Seen, SelectionError, components

if TYPE_CHECKING:
    from zbuild.model.steps import Selection
    from zbuild.plan.sources import Source, Stamp

Kind: TypeAlias = Literal["file", "dir", "link", "fifo", "char", "block"]

_TYPE_BITS = 0o170000
_KINDS: dict[int, Kind] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}


class Entry(NamedTuple):
    """Something that lands. `path` is where, relative to the destination; `source` where from, relative to the root.

    `mode` are the permission bits (0o7777), `target` a link's text, `rdev` a device's number. `top`: a source that is
    no folder, which takes the destination's own name when that has no trailing slash. `stamp` is (size, mtime_ns,
    ctime_ns, inode).
    """

    path: bytes
    source: bytes
    kind: Kind
    mode: int
    size: int
    target: bytes
    uid: int
    gid: int
    rdev: int
    top: bool
    stamp: Stamp


def with_plain_mode(entry: Entry) -> Entry:
    """Return an entry with the mode that it would have under any umask."""
    return entry._replace(mode=plain_mode(entry.mode))


class _Folder:
    """A folder being walked. One that is itself left out lands only once something in it does."""

    __slots__ = ("entry", "landing", "parent", "path")

    def __init__(self, path: bytes, landing: bytes, parent: _Folder | None = None, entry: Entry | None = None) -> None:
        self.path = path
        self.landing = landing
        self.parent = parent
        self.entry = entry


def select(root: bytes, selection: Selection, ignore: Ignore | None = None, seen: Seen | None = None) -> list[Entry]:
    """Return what a COPY of the selection lands, in the order of its sources and then of names.

    Folders come before their content. A folder lands its content; anything else lands under its name, or with
    `parents` under its path (from `/./` on, where that is written). Where two entries have one path, the later one
    holds. `seen` takes note of what was looked at. A wildcard may match nothing as long as another source is there.
    Sockets are left out. Raises SelectionError, and gomatch.PatternError for a pattern that is not well-formed.
    """
    return _Selector(root, selection, ignore, seen or Seen()).run()


class _Selector:
    def __init__(self, root: bytes, selection: Selection, ignore: Ignore | None, seen: Seen) -> None:
        self._prefix = root.rstrip(b"/") + b"/"
        self._selection = selection
        self._ignore = ignore
        self._exclude = Ignore(map(normal_pattern, selection.exclude)) if selection.exclude else None
        self._finder = Finder(root, ignore, seen)
        self._entries: list[Entry] = []
        self._parents: set[bytes] = set()

    def run(self) -> list[Entry]:
        found = False
        for pattern in self._selection.sources:
            sources = self._finder.find(pattern, any_depth=self._selection.parents)
            found = found or bool(sources)
            for source in sources:
                self._take(pattern, source)
        if not found and self._selection.sources:
            raise self._finder.no_match(self._selection.sources[0], any_depth=self._selection.parents)
        return self._entries

    def _take(self, pattern: str, source: Source) -> None:
        landing = self._landing(pattern, source)
        before = len(self._entries)
        if stat.S_ISDIR(source.info.st_mode):
            self._walk(_Folder(source.path, landing))
            self._check_ignored(pattern, source, before)
            return
        entry = self._entry(landing, source.path, source.info, top=not self._selection.parents)
        if entry and not (self._exclude and self._exclude.excluded(landing)):
            self._entries.append(entry)

    def _landing(self, pattern: str, source: Source) -> bytes:
        """Return where a source lands, having landed the folders above it when they are wanted."""
        if not self._selection.parents:
            return b"" if stat.S_ISDIR(source.info.st_mode) else source.name.rpartition(b"/")[2]
        before, pivot, _ = pattern.partition("/./")
        skip = len(components(before)) if pivot else 0
        names = source.name.split(b"/") if source.name else []
        folders = len(names) if stat.S_ISDIR(source.info.st_mode) else len(names) - 1
        for depth in range(skip + 1, folders + 1):
            self._land_parent(b"/".join(names[skip:depth]), b"/".join(names[:depth]))
        return b"/".join(names[skip:])

    def _land_parent(self, landing: bytes, path: bytes) -> None:
        if landing not in self._parents:
            self._parents.add(landing)
            folder = self._finder.lookup(path)
            entry = folder and self._entry(landing, folder.path, folder.info)
            self._entries.extend([entry] if entry else [])

    def _check_ignored(self, pattern: str, source: Source, before: int) -> None:
        """Refuse a folder that is left out, when nothing in it was taken back in."""
        nothing = len(self._entries) == before and not has_wildcard(pattern)
        if nothing and source.path and self._ignore and self._ignore.excluded(source.path):
            raise SelectionError(pattern, f"'{pattern}' is left out by the ignore file")

    def _walk(self, top: _Folder) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            path = folder.path + b"/" if folder.path else b""
            landing = folder.landing + b"/" if folder.landing else b""
            below: list[_Folder] = []
            for item in self._finder.list_folder(folder.path):
                child = self._visit(folder, item, path + item.name, landing + item.name)
                if child:
                    below.append(child)
            waiting.extend(reversed(below))

    def _visit(self, folder: _Folder, item: os.DirEntry[bytes], path: bytes, landing: bytes) -> _Folder | None:
        """Land one entry of a folder, unless it is left out; return it when it is a folder to be walked."""
        is_folder = item.is_dir(follow_symlinks=False)
        left_out = self._left_out(path, landing)
        if left_out and not (is_folder and self._may_contain(path, landing)):
            return None
        try:
            entry = self._entry(landing, path, item.stat(follow_symlinks=False))
        except FileNotFoundError:  # gone since it was listed
            return None
        if left_out:
            return _Folder(path, landing, folder, entry)
        if entry:
            if folder.entry:
                self._land(folder)
            self._entries.append(entry)
        return _Folder(path, landing) if is_folder else None

    def _land(self, folder: _Folder) -> None:
        """Land the folders on the way that were left out themselves."""
        chain: list[Entry] = []
        step: _Folder | None = folder
        while step and step.entry:
            chain.append(step.entry)
            step.entry = None
            step = step.parent
        self._entries.extend(reversed(chain))

    def _left_out(self, path: bytes, landing: bytes) -> bool:
        if self._ignore and self._ignore.excluded(path):
            return True
        return self._exclude is not None and self._exclude.excluded(landing)

    def _may_contain(self, path: bytes, landing: bytes) -> bool:
        """Tell whether anything below a folder that is left out could be taken, by every list that leaves it out."""
        lists = ((self._ignore, path), (self._exclude, landing))
        return all(not (rules and rules.excluded(name)) or rules.may_contain_included(name) for rules, name in lists)

    def _entry(self, landing: bytes, path: bytes, info: os.stat_result, *, top: bool = False) -> Entry | None:
        mode = info.st_mode
        kind = _KINDS.get(mode & _TYPE_BITS)
        if kind is None:
            return None
        target = os.readlink(self._prefix + path) if kind == "link" else b""
        rdev = info.st_rdev if kind in ("char", "block") else 0
        size = info.st_size
        stamp = (size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
        return Entry(landing, path, kind, mode & 0o7777, size, target, info.st_uid, info.st_gid, rdev, top, stamp)
