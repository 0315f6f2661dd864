"""Digests selections of a context's files, reading only what is new, and writes down what the results depend on.

Beside the index of contents lies one watch file for each set of results, for `quickcheck.check`. The results name
it: one that another command left behind can never vouch for other content.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from zbuild.base.digest import xxh
from zbuild.base.errors import StateError
from zbuild.base.files import write_whole
from zbuild.base.sealed import seal
from zbuild.plan.contents import Contents, Moment, begin
from zbuild.plan.fingerprint import digest_entries, digest_stamps, sha256_algorithm
from zbuild.plan.ignore import Ignore
from zbuild.plan.sources import Seen, SelectionError, join
from zbuild.plan.tree import select, with_plain_mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from zbuild.model.steps import Selection
    from zbuild.plan.fingerprint import TreeDigest
    from zbuild.plan.quickcheck import Watch
    from zbuild.plan.sources import Stamp
    from zbuild.plan.tree import Entry

_TRIES = 3
_KEPT_WATCHES = 32


class _Scan(NamedTuple):
    """One digest and what it depends on. `paths` are names looked up, None for what was not there.

    `stamps` digests the state the files were in (`digest_stamps`).

    `steady`: every file was the same before and after it was read. `settled`: besides, nothing can change any more
    without its stat data showing it.
    """

    tree: TreeDigest
    folders: dict[bytes, Stamp]
    paths: dict[bytes, Stamp | None]
    steady: bool
    settled: bool
    stamps: str


class StatIndex:
    """The files of one context folder. Calls must come from one thread at a time."""

    def __init__(self, root: bytes, file: Path) -> None:
        """Open the index kept in `file`; its watch files will lie beside it."""
        self._root = root
        self._file = file
        self._contents = Contents(root, file)
        self._shared: Contents | None = None
        self._scans: dict[str, _Scan] = {}
        self._differed = False

    def digest(self, selection: Selection, ignore_patterns: tuple[str, ...] = (), *, plain: bool = False) -> TreeDigest:
        """Digest what a selection takes, as the files are now; `plain`: with modes as under any umask.

        Raises SelectionError for a source that cannot be taken or read, gomatch.PatternError, and StateError when the
        index's folder cannot be written.
        """
        ignore = Ignore(ignore_patterns) if ignore_patterns else None
        name = _name(selection, ignore_patterns, plain=plain)
        before = self._scans.pop(name, None)
        for _ in range(_TRIES):
            try:
                scan = self._scan(selection, ignore, self._contents, plain=plain)
            except FileNotFoundError:  # taken away between its listing and its reading
                continue
            except OSError as error:
                what = os.fsdecode(error.filename or self._root)
                raise SelectionError(" ".join(selection.sources), f"cannot read '{what}': {error.strerror}") from error
            self._scans[name] = scan
            if scan.steady:
                break
        if name not in self._scans:
            raise SelectionError(" ".join(selection.sources), f"files come and go in '{os.fsdecode(self._root)}'")
        tree = self._scans[name].tree
        self._differed = self._differed or (before is not None and before.tree.digest != tree.digest)
        return tree

    def stamps(self, selection: Selection, ignore_patterns: tuple[str, ...] = (), *, plain: bool = False) -> str:
        """Return the state (`fingerprint.digest_stamps`) that a selection's files were in when last digested.

        "" when they would not stand still, or were never digested.
        """
        scan = self._scans.get(_name(selection, ignore_patterns, plain=plain))
        return scan.stamps if scan and scan.steady else ""

    def shared_digest(self, selection: Selection, ignore_patterns: tuple[str, ...] = (), *, plain: bool = False) -> str:
        """Return the sha256 of what a selection takes, which other machines find as well.

        It is of the files in the state that they were last digested in; "" when they are in another one by now. Raises
        what `digest` does.
        """
        if self._shared is None:
            self._shared = Contents(self._root, self._file.with_suffix(".sha256"), sha256_algorithm())
        ignore = Ignore(ignore_patterns) if ignore_patterns else None
        try:
            scan = self._scan(selection, ignore, self._shared, plain=plain)
        except OSError:
            return ""
        same = scan.steady and scan.stamps == self.stamps(selection, ignore_patterns, plain=plain)
        return scan.tree.digest if same else ""

    def save(self) -> Path:
        """Keep what was learned, and return the watch file of all results so far, for `quickcheck.check`.

        It is not written while something in it is racy, or when one selection had two results: the check then fails,
        and the next run looks again.
        Raises StateError.
        """
        results = sorted((name, scan.tree.digest) for name, scan in self._scans.items())
        watch = self._file.with_name(f"{self._file.stem}.{xxh(tuple(results))}.watch")
        try:
            self._contents.save()
            if self._shared is not None:
                self._shared.save()
            if self._scans and not self._differed and all(scan.settled for scan in self._scans.values()):
                self._write_watch(watch)
        except OSError as error:
            raise StateError("stat-index", f"cannot write '{watch}': {error.strerror}") from error
        return watch

    def _scan(self, selection: Selection, ignore: Ignore | None, contents: Contents, *, plain: bool) -> _Scan:
        moment = self._begin()
        seen = Seen()
        entries = select(self._root, selection, ignore, seen)
        if seen.devices - {moment.device}:
            moment = Moment(moment.device, 0)
        steady = True

        def content(entry: Entry) -> bytes:
            nonlocal steady
            digest, same = contents.digest(entry.source, entry.stamp, moment)
            steady = steady and same
            return digest

        landing = map(with_plain_mode, entries) if plain else entries
        tree = digest_entries(landing, content, algorithm=contents.algorithm)
        paths = seen.paths | {entry.source: entry.stamp for entry in entries if entry.source not in seen.folders}
        settled = steady and not any(map(moment.is_before, _stamps(seen.folders, paths)))
        return _Scan(tree, seen.folders, paths, steady, settled, digest_stamps(entries))

    def _begin(self) -> Moment:
        stamp_file = self._file.with_suffix(".tick")
        try:
            return begin(stamp_file)
        except OSError as error:
            raise StateError("stat-index", f"cannot write '{stamp_file}': {error.strerror}") from error

    def _write_watch(self, watch: Path) -> None:
        merged = _merged(self._scans.values())
        if merged is None:
            return
        data = seal("watch", _watch_value(self._root.rstrip(b"/") + b"/", *merged))
        if watch.exists() and watch.read_bytes() == data:
            return
        write_whole(watch, data)
        others = sorted(watch.parent.glob(f"{self._file.stem}.*.watch"), key=_mtime, reverse=True)
        for old in others[_KEPT_WATCHES:]:
            old.unlink(missing_ok=True)


def _name(selection: Selection, ignore_patterns: tuple[str, ...], *, plain: bool) -> str:
    return xxh((selection.sources, selection.exclude, selection.parents, ignore_patterns, plain))


def _stamps(folders: dict[bytes, Stamp], paths: dict[bytes, Stamp | None]) -> Iterable[Stamp]:
    yield from folders.values()
    yield from (stamp for stamp in paths.values() if stamp)


def _merged(scans: Iterable[_Scan]) -> tuple[dict[bytes, Stamp], dict[bytes, Stamp | None]] | None:
    """Return the folders and paths of all scans; None when two of them saw something in different states."""
    folders: dict[bytes, Stamp] = {}
    paths: dict[bytes, Stamp | None] = {}
    for scan in scans:
        if not (_agree(folders, scan.folders) and _agree(paths, scan.paths)):
            return None
        folders |= scan.folders
        paths |= scan.paths
    return folders, paths


def _agree(some: Mapping[bytes, Stamp | None], more: Mapping[bytes, Stamp | None]) -> bool:
    return all(some[path] == more[path] for path in some.keys() & more.keys())


def _watch_value(root: bytes, folders: dict[bytes, Stamp], paths: dict[bytes, Stamp | None]) -> Watch:
    """Lay out by folder what is depended on, so that each folder is entered once."""
    names: dict[bytes, list[bytes]] = {folder: [] for folder in folders}
    for path, stamp in paths.items():
        if stamp and path not in folders:
            folder, _, name = path.rpartition(b"/")
            names.setdefault(folder, []).append(name)
    rows: list[int] = []
    for folder, children in names.items():
        rows += folders.get(folder, ())
        for name in children:
            rows += paths[join(folder, name)] or ()
    visits = [(folder, folder in folders, children) for folder, children in names.items()]
    return root, visits, rows, [path for path, stamp in paths.items() if stamp is None]


def _mtime(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
