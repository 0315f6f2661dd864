"""All that ADD takes from other machines: each question is asked once a run, whoever asks it."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from zbuild.backend.process import Runner
from zbuild.base.once import Once
from zbuild.fetch.at_once import ask_at_once
from zbuild.fetch.store import FetchedStore
from zbuild.model.remote import GitOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from zbuild.fetch.checkouts import GitCheckouts
    from zbuild.fetch.files import UrlFiles
    from zbuild.model.remote import RemoteOrigin


class Remotes:
    """Answers for one run, from any thread.

    `folder` keeps what was fetched. `tell` is told what is being fetched when that may take a while, `warn` when an
    answer is an old one.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self._store = FetchedStore(folder)
        self._tell = tell
        self._warn = warn
        self._runner = Runner()
        self._url_files: UrlFiles | None = None
        self._known: Once[RemoteOrigin, str] = Once()
        self._locks: defaultdict[RemoteOrigin, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()
        self.fresh_until = float("inf")

    def identity(self, origin: RemoteOrigin, pull: str) -> str:
        """Return what names the files of an origin now: a content's `sha256:…`, or a commit.

        `fresh_until` becomes the unix time, over all answers, up to which nobody need ask again; 0 for never. Raises
        RegistryError, and BackendError where a tool is missing.
        """
        return self._known.get(origin, lambda: self._ask(origin, pull))

    def prepare(self, origins: Collection[RemoteOrigin], pull: str) -> None:
        """Ask for several origins at once, for `identity` to answer later. Raises BackendError alone."""
        ask_at_once(origins, lambda origin: self.identity(origin, pull), self.cancel)

    def _ask(self, origin: RemoteOrigin, pull: str) -> str:
        answer, fresh_until = (
            self._checkouts().commit(origin, pull)
            if isinstance(origin, GitOrigin)
            else self._files().digest(origin, pull)
        )
        with self._guard:
            self.fresh_until = min(self.fresh_until, 0.0 if pull == "always" else fresh_until)
        return answer

    def folder(self, origin: RemoteOrigin, pull: str) -> str:
        """Return a folder with the files that `identity` names, fetching them if it must be. Raises as that does."""
        identity = self.identity(origin, pull)
        with self._lock(origin):
            if isinstance(origin, GitOrigin):
                return str(self._checkouts().folder(origin, identity))
            return str(self._files().folder(origin, identity))

    def cancel(self) -> None:
        """Stop what is fetched, and refuse to begin anything else."""
        self._runner.cancel()
        with self._guard:
            files = self._url_files
        if files is not None:
            files.close()

    def drop_unused(self) -> None:
        """Remove what no build has used for long."""
        self._store.drop_unused()

    def _lock(self, origin: RemoteOrigin) -> threading.Lock:
        with self._guard:
            return self._locks[origin]

    def _files(self) -> UrlFiles:
        from zbuild.fetch.files import UrlFiles  # noqa: PLC0415 - urllib.request and ssl cost 40 ms to import

        with self._guard:
            if self._url_files is None:
                self._url_files = UrlFiles(self._store, self._runner.check, self._tell, self._warn)
            return self._url_files

    def _checkouts(self) -> GitCheckouts:
        from zbuild.fetch.checkouts import GitCheckouts  # noqa: PLC0415 - most builds need none

        return GitCheckouts(self._store, self._runner, self._tell, self._warn)
