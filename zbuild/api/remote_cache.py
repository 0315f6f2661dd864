"""The remote caches of one run: where results of other machines are found, and ours are brought to."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from zbuild.api.remote_pull import Puller
from zbuild.api.remote_push import Offer, Pusher
from zbuild.api.shared_keys import SharedKeys
from zbuild.base.errors import RegistryError
from zbuild.base.text import plural
from zbuild.cache.folder import FolderStore
from zbuild.cache.guarded import GuardedStore
from zbuild.cache.policy import Allowed, prune
from zbuild.cache.transfers import Transfers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zbuild.api.sources import WorkspaceSources
    from zbuild.backend.protocol import Backend
    from zbuild.cache.protocol import RemoteStore
    from zbuild.model.caches import CachePlace, CacheSettings
    from zbuild.plan.describe import Described
    from zbuild.plan.planner import Decision
    from zbuild.state.folder import StateFolder
    from zbuild.state.record import Record
    from zbuild.state.records import Memory

_PULLS, _PUSHES = 8, 4
_PATIENCE = 5.0
FINISH_SECONDS = 600.0
"""So long the end of a build waits for what is still on its way to remote caches."""


class RemoteCache:
    """Finds, loads and offers results; made only for builds that have remote caches."""

    def __init__(
        self,
        settings: CacheSettings,
        sources: WorkspaceSources,
        backend: Backend,
        folder: StateFolder,
        memory: Memory,
        warn: Callable[[str], None],
    ) -> None:
        """Raise BackendError when what a place needs is not installed."""
        self._settings = settings
        self._warn = warn
        self._pulls, self._pushes = Transfers(_PULLS), Transfers(_PUSHES)
        self._work = folder.transfers / f"{os.getpid()}-{threading.get_native_id()}"
        places = dict.fromkeys((*settings.sources, *settings.targets))
        self._stores = {place: open_store(place, memory, warn) for place in places}
        keys = SharedKeys(sources, backend)
        read = [self._stores[place] for place in settings.sources]
        self._puller = Puller(read, keys, backend, self._pulls, self._work, warn, ttl=settings.ttl)
        write = [self._stores[place] for place in settings.targets]
        refused = self._puller.refused
        self._pusher = Pusher(write, keys, backend, self._pushes, self._work, memory, refused, ttl=settings.ttl)
        self._given_up = not settings.sources

    @property
    def shares(self) -> bool:
        """Whether results are brought to other machines."""
        return bool(self._settings.targets)

    def find(self, names: Sequence[str], decisions: Mapping[str, Decision]) -> dict[str, tuple[Record, str]]:
        """Return the records of those stages whose results are found, and where. Raises InterruptedBuildError."""
        return {} if self._given_up else self._puller.find(names, decisions)

    def find_result(
        self, described: Described, key: str, record_of: Callable[[str], Record]
    ) -> tuple[Record, str] | None:
        """Return the record of a stage whose inputs have come to something, and where it is; None without one."""
        return None if self._given_up else self._puller.find_result(described, key, record_of)

    def prefetch(self, records: Iterable[Record]) -> None:
        """Begin to fetch the layers of found records, which are about to be loaded."""
        self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._puller.prefetch(records)

    def load(self, record: Record, names: Sequence[str]) -> None:
        """Bring a found record's image into the store under names.

        Raises ImageGoneError when it cannot be had after all, BackendError when the store is full.
        """
        self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._puller.load(record, names)

    def give_up(self) -> None:
        """Find nothing from now on: what was found has been of no use again and again."""
        self._given_up = True

    def offer(
        self,
        name: str,
        record: Record,
        decisions: Mapping[str, Decision],
        result: Callable[[str], Record | None],
        *,
        replace: bool,
    ) -> None:
        """Begin to bring a stage's result to where results are written to.

        One that runs each time is nobody else's, and one that reads what is not known here cannot be named.
        """
        vertex = decisions[name].described.vertex
        read = {source: found for source in vertex.inputs if (found := result(source)) is not None}
        if self._settings.targets and not vertex.settings.no_cache and len(read) == len(vertex.inputs):
            described = {other: decision.described for other, decision in decisions.items()}
            self._pusher.offer(Offer(described, name, record, read, replace))

    def finish(self) -> bool:
        """Wait for what is on its way; tell whether all results are where they should be. Prunes folders, too."""
        left = self._pusher.finish(FINISH_SECONDS)
        if left and all(store.works for store in self._stores.values()):
            count = plural(len(left), "result")
            self._warn(f"{count} did not get to the remote cache, which the next build tries again: {left[0]}")
        allowed = Allowed(self._settings.ttl, self._settings.max_size)
        for place in self._settings.targets if allowed != Allowed() else ():
            if place.kind == "folder":
                with suppress(RegistryError):
                    prune(FolderStore(Path(place.path)), allowed, time.time())
        return not left

    def cancel(self) -> None:
        """Let everyone who waits go on; nothing more is brought or fetched."""
        self._pulls.cancel()
        self._pushes.cancel()

    def close(self) -> None:
        """Cancel, and remove what is on its way."""
        self.cancel()
        for store in self._stores.values():
            store.close()
        shutil.rmtree(self._work, ignore_errors=True)


def open_store(place: CachePlace, memory: Memory, warn: Callable[[str], None]) -> GuardedStore:
    """Return the store of a place; it is asked for nothing yet. Raises BackendError when something is not installed."""
    if place.kind == "s3":
        from zbuild.cache.s3 import check_client  # noqa: PLC0415 - few builds have such caches

        check_client(place)
    return GuardedStore(str(place), lambda: _made(place, memory), warn)


def _made(place: CachePlace, memory: Memory) -> RemoteStore:
    match place.kind:
        case "folder":
            return FolderStore(Path(place.path))
        case "s3":
            from zbuild.cache.s3 import S3Store  # noqa: PLC0415 - likewise

            return S3Store(place)
        case "registry":
            from zbuild.api.registries import open_registry  # noqa: PLC0415 - likewise, and it costs 60 ms to import
            from zbuild.cache.registry import RegistryStore  # noqa: PLC0415 - likewise
            from zbuild.oci.retries import Limits  # noqa: PLC0415 - likewise

            return RegistryStore(place.path, open_registry(limits=Limits(patience=_PATIENCE)), memory)
        case _:
            assert_never(place.kind)
