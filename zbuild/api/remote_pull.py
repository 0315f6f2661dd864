"""Finds results in remote caches, and brings their images into the store: the layers only when they are needed."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

from zbuild.api.shared_keys import NotSharedError
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import BackendError, ImageGoneError, RegistryError, ZbuildError
from zbuild.cache.entry import EntryError, decode_entry
from zbuild.cache.packing import unpack
from zbuild.cache.protocol import MissingLayerError
from zbuild.oci.layout import Layout
from zbuild.plan.key import Pending, config_text, pending
from zbuild.plan.planner import what
from zbuild.plan.shared_key import shared_key
from zbuild.state.faults import state_fault
from zbuild.state.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from zbuild.api.shared_keys import SharedKeys
    from zbuild.backend.protocol import Backend
    from zbuild.cache.entry import StageEntry
    from zbuild.cache.guarded import GuardedStore
    from zbuild.cache.transfers import Transfers
    from zbuild.plan.describe import Described
    from zbuild.plan.planner import Decision
    from zbuild.plan.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Found:
    """An entry, the key it was found under, and the store that had it."""

    entry: StageEntry
    key: str
    store: GuardedStore


class Puller:
    """Reads from stores, the first that has something; `folder` is a place for layers on their way.

    `refused` are the keys and diff ids of what is damaged somewhere, and to be replaced.
    """

    def __init__(
        self,
        stores: Sequence[GuardedStore],
        keys: SharedKeys,
        backend: Backend,
        transfers: Transfers,
        folder: Path,
        warn: Callable[[str], None],
        *,
        ttl: float = 0.0,
    ) -> None:
        self.refused: set[str] = set()
        self._useless: set[str] = set()
        self._stores = stores
        self._keys = keys
        self._backend = backend
        self._transfers = transfers
        self._folder = folder
        self._warn = warn
        self._ttl = ttl
        self._lock = threading.Lock()
        self._count = itertools.count(1)
        self._asked: dict[str, Future[Found | None]] = {}
        self._found: dict[str, Found] = {}
        self._layers: dict[str, Future[None]] = {}

    def find(self, names: Sequence[str], decisions: Mapping[str, Decision]) -> dict[str, tuple[Record, str]]:
        """Look for the results of stages, all at once; return their records and the names of the stores."""
        described = {other: decision.described for other, decision in decisions.items()}
        keys = {name: key for name in names if (key := self._key(name, decisions, described))}
        asked = {name: self._ask(key, name) for name, key in keys.items()}
        found = {name: self._transfers.result(future) for name, future in asked.items()}
        return {
            name: (self._recorded(described[name], item, decisions[name].key), item.store.name)
            for name, item in found.items()
            if item is not None and item.key not in self._useless
        }

    def find_result(
        self, described: Described, key: str, record_of: Callable[[str], Record]
    ) -> tuple[Record, str] | None:
        """Look for the result of a stage whose inputs have come to something; None when there is none.

        `key` is what its record is kept under here.
        """
        if not pending(described.items):  # it was looked for when the build was planned
            return None
        try:
            shared = shared_key(self._keys.resolved(described, record_of))
        except NotSharedError:
            return None
        item = self._transfers.result(self._ask(shared, described.vertex.id))
        if item is None or shared in self._useless:
            return None
        return self._recorded(described, item, key), item.store.name

    def _key(self, name: str, decisions: Mapping[str, Decision], described: Mapping[str, Described]) -> str:
        """Return the key to look for: what the inputs came to, where that is known; "" where there is none."""
        read = pending(described[name].items)
        records = {wanted.vertex: decisions[wanted.vertex].record for wanted in read}
        try:
            if read and all(self._is_known(records[wanted.vertex], wanted) for wanted in read):
                return shared_key(self._keys.resolved(described[name], lambda other: _sure(records[other])))
            return shared_key(self._keys.static(name, described))
        except (NotSharedError, BackendError):
            return ""

    def _is_known(self, record: Recorded | None, wanted: Pending) -> bool:
        if record is None:
            return False
        return wanted.selection is None or self._keys.knows(record, wanted) or record.image_id in self._backend.images()

    def _ask(self, key: str, stage: str) -> Future[Found | None]:
        with self._lock:
            if key not in self._asked:
                self._asked[key] = self._transfers.submit(lambda: self._look(key, stage))
            return self._asked[key]

    def _look(self, key: str, stage: str) -> Found | None:
        for store in self._stores:
            data = store.read_record(key)
            if data is None:
                continue
            try:
                entry = decode_entry(data, key)
            except EntryError as error:
                self._warn(f"the remote cache {store.name} has a false record of {stage}, which is not used: {error}")
                self.refused.add(key)
                continue
            if entry.is_fresh(self._ttl, time.time()):
                return Found(entry, key, store)
        return None

    def _recorded(self, described: Described, found: Found, key: str) -> Record:
        """Return the record that a shared one is here, under the key that its inputs came to; "": not known here."""
        entry = found.entry
        key = key or entry.key
        self._found[key] = found
        results = iter(entry.results)
        told = tuple(
            (item.instruction, what(item.what, item.value), _told(item.value, results)) for item in described.items
        )
        return Record(
            key=key,
            static_key=described.static_key,
            own_key=described.own_key,
            stage=described.vertex.id,
            backend=self._backend.name,
            platform=str(described.vertex.platform),
            image_id=entry.image.image_id,
            digest=entry.image.digest,
            diff_ids=entry.diff_ids,
            config=config_text(described.evaluation.config),
            size=entry.size,
            layer_count=len(entry.layers),
            seconds=entry.seconds,
            step_seconds=entry.step_seconds,
            inputs=told,
            exports=entry.exports,
            created=time.time(),
            run_id="",
            content=entry.content,
        )

    def prefetch(self, records: Iterable[Record]) -> None:
        """Begin to fetch the layers of found records that the store lacks: loading one need not wait for another."""
        there = self._backend.layers()
        for record in records:
            found = self._found[record.key]
            for diff_id, size in found.entry.layers:
                if diff_id not in there:
                    self._fetch(found.store, diff_id, size)

    def load(self, record: Record, names: Sequence[str]) -> None:
        """Bring a found record's image into the store. Raises ImageGoneError when that fails: it is then built.

        Raises StateError and BackendError when a disk is full.
        """
        found = self._found[record.key]
        try:
            self._load(found, record.key, names)
        except OSError as error:
            raise state_fault(error, self._folder) from error
        except (EntryError, BackendError, RegistryError) as error:
            if isinstance(error, ZbuildError) and error.code == "disk-full":
                raise
            self._refuse(found, error)
            raise ImageGoneError("cache-entry", str(error)) from error

    def _refuse(self, found: Found, error: Exception) -> None:
        """Note what is of no use, for it not to be pulled again, and to be replaced by what is built instead."""
        with self._lock:
            layers = [diff_id for diff_id in found.entry.diff_ids if _has_failed(self._layers.get(diff_id))]
            self._useless |= {*found.entry.keys}
            self.refused |= {*found.entry.keys, *layers}
        if isinstance(error, RegistryError) and not isinstance(error, MissingLayerError):
            found.store.fail(error)
        else:
            self._warn(f"{found.entry.stage} in the remote cache {found.store.name} is not used: {error}")

    def _load(self, found: Found, key: str, names: Sequence[str]) -> None:
        layout = Layout.create(self._folder / f"pull-{next(self._count)}")
        layout.add(found.entry.image)
        there = self._backend.layers()
        wanted = {diff_id: size for diff_id, size in found.entry.layers if diff_id not in there}
        fetched = {diff_id: self._fetch(found.store, diff_id, size) for diff_id, size in wanted.items()}
        for diff_id, future in fetched.items():
            self._transfers.result(future)
            layout.blob(diff_id).symlink_to(self._place(diff_id))
        self._backend.load(layout.folder, found.entry.image.digest, key, names)

    def _fetch(self, store: GuardedStore, diff_id: str, size: int) -> Future[None]:
        """Begin to fetch a layer, unless another image's is under way."""

        def fetch() -> None:
            unpack(store.read_layer(diff_id), diff_id, size, self._place(diff_id), self._transfers.check)

        with self._lock:
            if diff_id not in self._layers:
                self._layers[diff_id] = self._transfers.submit(fetch)
            return self._layers[diff_id]

    def _place(self, diff_id: str) -> Path:
        return self._folder / f"{diff_id.removeprefix('sha256:')}.tar"


def _has_failed(future: Future[None] | None) -> bool:
    return future is not None and future.done() and future.exception() is not None


def _sure(record: Recorded | None) -> Recorded:
    assert record is not None  # noqa: S101 - the caller has looked
    return record


def _told(value: str | Pending, results: Iterator[str]) -> str:
    return next(results, "?") if isinstance(value, Pending) else value
