"""What was fetched, in a folder of the workspace's state: contents by their digests, and notes of what names them.

    sha256-<digest>/<name>    a file, its times those that the server told
    git-<commit>…/tree/       a checkout
    <hash of a URL>.json      what was found there the last time

Everything here can be deleted at any time, and is then fetched again.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from zbuild.base.digest import xxh
from zbuild.base.files import TEMPORARY
from zbuild.state.faults import state_fault
from zbuild.state.folder import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_CHUNK = 1 << 20
_KEPT_SECONDS = 30 * 24 * 3600


class FetchedStore:
    """The folder of what was fetched. Methods raise StateError when it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, *names: str) -> dict[str, str]:
        """Return what was noted under some names; nothing where that is missing or damaged."""
        try:
            value = json.loads(self._note_path(names).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()) else {}

    def keep_note(self, note: Mapping[str, str], *names: str) -> None:
        """Keep a note under some names, in the place of what was there."""
        with self.writing():
            self._folder.mkdir(mode=0o700, exist_ok=True)
        atomic_write(self._note_path(names), json.dumps(dict(note), sort_keys=True).encode())

    def _note_path(self, names: tuple[str, ...]) -> Path:
        return self._folder / f"{xxh(names)}.json"

    def has_file(self, digest: str) -> bool:
        """Tell whether a content (`sha256:…`) is at hand, which counts as a use; `file` says whether it is whole."""
        try:
            os.utime(self._content(digest))
        except OSError:
            return False
        return True

    def file(self, digest: str, name: str) -> Path | None:
        """Return the folder that holds a content under a name, after reading it through; None for a damaged one."""
        folder = self._content(digest)
        whole = next((path for path in _files(folder) if _sha256(path) == digest), None)
        if whole is None:
            shutil.rmtree(folder, ignore_errors=True)
            return None
        with self.writing():
            _link(whole, folder / name)
            os.utime(folder)
        return folder

    def keep_file(self, path: Path, digest: str, name: str, mtime: float) -> None:
        """Take a finished temporary file over as a content; `mtime` (unix time) is when it says it was changed."""
        folder = self._content(digest)
        with self.writing():
            os.utime(path, (mtime, mtime))
            folder.mkdir(mode=0o700, exist_ok=True)
            path.replace(folder / name)

    def _content(self, digest: str) -> Path:
        return self._folder / digest.replace(":", "-")

    def checkout(self, name: str) -> Path | None:
        """Return the files of a checkout; None when it is not at hand."""
        tree = self._folder / f"git-{name}" / "tree"
        if not tree.is_dir():
            return None
        with suppress(OSError):
            os.utime(tree.parent)
        return tree

    def keep_checkout(self, folder: Path, name: str) -> Path:
        """Take a finished temporary folder, with the files in `tree`, over as a checkout; return these."""
        kept = self._folder / f"git-{name}"
        with self.writing():
            if not kept.exists():
                folder.rename(kept)
        return kept / "tree"

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """Yield a path where nothing is; what is there at the end is removed. The state's sweep knows its name."""
        path = self._folder / f".fetch.{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}{TEMPORARY}"
        with self.writing():
            self._folder.mkdir(mode=0o700, exist_ok=True)
        try:
            yield path
        finally:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn an OSError into a StateError that names the folder."""
        try:
            yield
        except OSError as error:
            raise state_fault(error, self._folder) from error

    def drop_unused(self) -> None:
        """Remove what no build has used for thirty days. What cannot be removed stays."""
        limit = time.time() - _KEPT_SECONDS
        with suppress(OSError):
            for path in list(self._folder.iterdir()):
                if path.lstat().st_mtime < limit:
                    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []


def _link(whole: Path, path: Path) -> None:
    """Give a content one more name. Another run may do the same at the same moment."""
    if path != whole:
        path.unlink(missing_ok=True)
        with suppress(FileExistsError):
            os.link(whole, path)


def _sha256(path: Path) -> str:
    import hashlib  # noqa: PLC0415 - it loads OpenSSL, and few builds fetch anything

    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"
