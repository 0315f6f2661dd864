"""Files at URLs: what is there now, asked of the server only when it may have changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zbuild.base.errors import RegistryError
from zbuild.fetch.http import HttpClient, Received, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zbuild.fetch.store import FetchedStore
    from zbuild.model.remote import UrlOrigin


class UrlFiles:
    """Answers for files at URLs; `tell` and `warn` as in `Remotes`."""

    def __init__(
        self, store: FetchedStore, check: Callable[[], None], tell: Callable[[str], None], warn: Callable[[str], None]
    ) -> None:
        self._store = store
        self._client = HttpClient(check, tell)
        self._warn = warn

    def close(self) -> None:
        """End what waits for a server; `check` must raise by now."""
        self._client.close()

    def digest(self, origin: UrlOrigin, pull: str) -> tuple[str, float]:
        """Return the digest (`sha256:…`) of what is at a URL, and the unix time up to which that needs no asking.

        A checksum is the answer itself. `pull` is as for images: `never` asks no server, `always` even where the
        server's last answer still holds. Raises RegistryError.
        """
        if origin.checksum:
            return origin.checksum, float("inf")
        note = self._store.note(origin.url)
        digest = note.get("digest", "")
        at_hand = bool(digest) and self._store.has_file(digest)
        fresh_until = _number(note.get("fresh_until", ""))
        if pull == "never":
            if at_hand:
                return digest, float("inf")
            message = f"{origin.shown} was not fetched yet, and may not be"
            raise RegistryError("fetch-failed", message, hint="build once without --pull never")
        if at_hand and fresh_until > time.time() and pull != "always":
            return digest, fresh_until
        try:
            return self._ask(origin, note if at_hand else {})
        except UnreachableError as error:
            if not at_hand:
                raise
            self._warn(f"{error.message}; what was fetched before is used")
            return digest, 0.0

    def folder(self, origin: UrlOrigin, digest: str) -> Path:
        """Return a folder that holds the content with that digest under the origin's name, fetching it if it must be.

        Raises RegistryError, also when the URL holds something else.
        """
        found = self._store.file(digest, origin.name)
        if found is None:
            received, _ = self._ask(origin, {})
            found = self._store.file(digest, origin.name)
            if found is None:
                raise _mismatch(origin, digest, received)
        return found

    def _ask(self, origin: UrlOrigin, note: dict[str, str]) -> tuple[str, float]:
        with self._store.temporary() as path, self._store.writing():
            answer = self._client.fetch(origin, note, path)
            if isinstance(answer, Received):
                note = {"digest": answer.digest, "etag": answer.etag, "last_modified": answer.last_modified}
                if origin.checksum in ("", answer.digest):
                    self._store.keep_file(path, answer.digest, origin.name, answer.mtime)
        note = {**note, "url": origin.url, "fresh_until": str(answer.fresh_until)}
        if not origin.checksum:
            self._store.keep_note(note, origin.url)
        return note["digest"], answer.fresh_until


def _mismatch(origin: UrlOrigin, wanted: str, received: str) -> RegistryError:
    if not origin.checksum:
        return RegistryError("content-changed", f"{origin.shown} changed while it was built", hint="build again")
    message = f"{origin.shown} does not have the checksum {wanted}: it is {received}"
    return RegistryError("checksum-mismatch", message, hint="change the checksum, if this content is what you want")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
