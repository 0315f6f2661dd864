"""Brings results to remote caches while the build goes on: layers first, then the record."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from zbuild.api.shared_keys import NotSharedError
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import RegistryError
from zbuild.cache.entry import EntryError, StageEntry, decode_entry, encode_entry
from zbuild.cache.packing import pack
from zbuild.oci.layout import Layout
from zbuild.plan.key import Pending
from zbuild.plan.planner import result_of
from zbuild.plan.shared_key import shared_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from concurrent.futures import Future
    from pathlib import Path

    from zbuild.api.shared_keys import SharedKeys
    from zbuild.backend.protocol import Backend
    from zbuild.cache.guarded import GuardedStore
    from zbuild.cache.transfers import Transfers
    from zbuild.oci.layout import ImageBlobs
    from zbuild.plan.describe import Described
    from zbuild.state.record import Record
    from zbuild.state.records import Memory

_AGAIN = 24 * 3600.0
"""So long it is believed that a store still has what was brought there."""
_KEPT = 5000


@dataclass(frozen=True, slots=True)
class Offer:
    """A finished stage, and the records of the stages it reads, by name. `replace`: also where there is one."""

    described: Mapping[str, Described]
    name: str
    record: Record
    read: Mapping[str, Record]
    replace: bool = False


class Pusher:
    """Writes to stores, on threads of its own; `memory` remembers what was brought where.

    What is `refused` (keys and diff ids, see `Puller`) is brought again.
    """

    def __init__(
        self,
        stores: Sequence[GuardedStore],
        keys: SharedKeys,
        backend: Backend,
        transfers: Transfers,
        folder: Path,
        memory: Memory,
        refused: AbstractSet[str],
        *,
        ttl: float = 0.0,
    ) -> None:
        self._ttl = ttl
        self._refused = refused
        self._stores = stores
        self._keys = keys
        self._backend = backend
        self._transfers = transfers
        self._folder = folder
        self._memory = memory
        self._lock = threading.Lock()
        self._count = itertools.count(1)
        self._layers: dict[str, set[str]] = {store.name: set() for store in stores}
        self._brought = {store.name: _recall(memory, store.name) for store in stores}
        self._futures: list[Future[None]] = []
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def offer(self, offer: Offer) -> None:
        """Begin to bring a result to all stores that are not known to have it."""
        stores = [store for store in self._stores if offer.replace or self._is_new(store, offer.record)]
        if stores:
            self._futures.append(self._transfers.submit(lambda: self._bring(offer, stores)))

    def finish(self, seconds: float) -> list[str]:
        """Wait until all is brought, a while; return why results did not get to every store, for each that did not."""
        self._transfers.finish(self._futures, seconds)
        errors = [future.exception() if future.done() else "it takes too long" for future in self._futures]
        for store in self._stores:
            with self._lock:
                brought = dict(sorted(self._brought[store.name].items(), key=lambda pair: pair[1])[-_KEPT:])
            self._memory.set(_name(store.name), json.dumps(brought))
        return [str(error) for error in errors if error is not None]

    def _is_new(self, store: GuardedStore, record: Record) -> bool:
        return self._brought[store.name].get(_mark(record), 0.0) + _AGAIN < time.time()

    def _bring(self, offer: Offer, stores: Sequence[GuardedStore]) -> None:
        folder = self._folder / f"push-{next(self._count)}"
        try:
            with suppress(NotSharedError):  # it is of use to this machine alone
                self._bring_by(folder, offer, [store for store in stores if store.works])
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not all(store.works for store in stores):
            raise RegistryError("cache-failed", "a store failed")

    def _bring_by(self, folder: Path, offer: Offer, stores: Sequence[GuardedStore]) -> None:
        static = self._keys.static(offer.name, offer.described)
        inputs = self._keys.resolved(offer.described[offer.name], offer.read.__getitem__)
        keys = tuple(dict.fromkeys((shared_key(inputs), shared_key(static))))
        replace = offer.replace or not self._refused.isdisjoint(keys)
        found = {store: "false" if replace else self._found(store, keys[-1]) for store in stores}
        lacking = [store for store in stores if found[store] != "good"]
        if lacking:
            for diff_id in offer.record.diff_ids:
                self._bring_layer(folder, offer.record, diff_id, lacking)
            entry = self._entry(offer, self._export(offer.record, folder), static, inputs)
            for store in lacking:
                self._write(store, keys, entry, replace=found[store] == "false")
        for store in stores:
            if store.works:
                with self._lock:
                    self._brought[store.name][_mark(offer.record)] = time.time()

    def _found(self, store: GuardedStore, key: str) -> Literal["good", "false", "nothing"]:
        """Tell what a store has under a key; `false` is also what is too old to be used."""
        data = store.read_record(key)
        if data is None:
            return "nothing"
        try:
            entry = decode_entry(data, key)
        except EntryError:
            return "false"
        return "good" if entry.is_fresh(self._ttl, time.time()) else "false"

    def _bring_layer(self, folder: Path, record: Record, diff_id: str, stores: Sequence[GuardedStore]) -> None:
        """Bring a layer to the stores that lack it, or have it damaged; stages that share it wait for each other."""
        with self._lock:
            turn = self._turns[diff_id]
        with turn:
            missing = [store for store in stores if not self._is_there(store, diff_id)]
            if not missing:
                return
            self._export(record, folder, diff_id)
            tar = Layout(folder).blob(diff_id)
            layer = pack(diff_id, tar, folder / "packed", self._transfers.check)
            tar.unlink()
            for store in missing:
                store.write_layer(layer)
                self._layers[store.name].add(diff_id)

    def _is_there(self, store: GuardedStore, diff_id: str) -> bool:
        known = self._layers[store.name]
        if diff_id not in known and diff_id not in self._refused and store.has_layer(diff_id):
            known.add(diff_id)
        return diff_id in known

    def _export(self, record: Record, folder: Path, layer: str = "") -> ImageBlobs:
        """Write an image to a layout, with one of its layers or without any."""
        others = [diff_id for diff_id in record.diff_ids if diff_id != layer]
        (digest,) = self._backend.export([record.image_id], folder, without=others)
        return Layout(folder).image(digest)

    def _write(self, store: GuardedStore, keys: Sequence[str], entry: StageEntry, *, replace: bool) -> None:
        data = encode_entry(entry)
        for key in keys:
            store.write_record(key, data, entry.diff_ids, replace=replace)

    def _entry(
        self, offer: Offer, image: ImageBlobs, static: tuple[tuple[str, str], ...], inputs: tuple[tuple[str, str], ...]
    ) -> StageEntry:
        record = offer.record
        described = offer.described[offer.name]
        exports = {**dict(record.exports), **self._keys.exports(record, offer.name, offer.described)}
        results = tuple(
            result_of(offer.read[item.value.vertex], item.value) or "?"
            for item in described.items
            if isinstance(item.value, Pending)
        )
        return StageEntry(
            static=static,
            inputs=inputs,
            results=results,
            key=record.key,
            stage=offer.name,
            platform=record.platform,
            manifest=image.manifest,
            config=image.config,
            layers=tuple((layer["digest"], layer["size"]) for layer in image.layers),
            size=record.size,
            seconds=record.seconds,
            step_seconds=record.step_seconds,
            exports=tuple(sorted(exports.items())),
            content=record.content,
            created=time.time(),
        )


def _mark(record: Record) -> str:
    """Name a result as it is remembered: by both keys that it is found under."""
    return f"{record.key} {record.static_key}"


def _recall(memory: Memory, place: str) -> dict[str, float]:
    return {str(key): float(when) for key, when in json.loads(memory.get(_name(place)) or "{}").items()}


def _name(place: str) -> str:
    return f"brought to {place}"
