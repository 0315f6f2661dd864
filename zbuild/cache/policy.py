"""Keeps remote caches from growing for ever: what was not used for long goes, then what was used longest ago."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import RegistryError
from zbuild.cache.entry import layers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zbuild.cache.protocol import PrunableStore, StoredItem

_GRACE = 3600.0
"""What is younger is left alone: another machine may be about to write the record that needs it."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Seconds that an unused entry stays, 0 = for ever; bytes that all of them may take, 0 = any number."""

    ttl: float = 0.0
    max_size: int = 0


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed, or would be: how many records and layers, and how many bytes."""

    records: int = 0
    layers: int = 0
    size: int = 0


def prune(store: PrunableStore, allowed: Allowed, now: float, *, dry_run: bool = False) -> Removal:
    """Remove what is not allowed to stay, and layers that no record names; records go first. Raises RegistryError."""
    items = list(store.items())
    records = [item for item in items if item.kind == "record"]
    needs = {record.name: _layers(store, record) for record in records}
    kept = [record for record in records if not allowed.ttl or record.used >= now - allowed.ttl]
    layers = {item.name: item for item in items if item.kind == "layer"}
    if allowed.max_size:
        kept = _within(sorted(kept, key=lambda item: item.used, reverse=True), needs, layers, allowed.max_size)
    gone = _gone(items, kept, needs, now)
    if not dry_run:
        for item in gone:
            store.remove(item)
    count = sum(item.kind == "record" for item in gone)
    return Removal(count, len(gone) - count, sum(item.size for item in gone))


def _within(
    newest_first: Iterable[StoredItem],
    needs: Mapping[str, frozenset[str]],
    layers: Mapping[str, StoredItem],
    max_size: int,
) -> list[StoredItem]:
    """Return the records, the last used ones, that fit with all their layers."""
    kept: list[StoredItem] = []
    have: set[str] = set()
    left = max_size
    for record in newest_first:
        more = needs[record.name] - have
        size = record.size + sum(layers[name].size for name in more if name in layers)
        if size <= left:
            kept.append(record)
            have |= more
            left -= size
    return kept


def _gone(
    items: Iterable[StoredItem], kept: Iterable[StoredItem], needs: Mapping[str, frozenset[str]], now: float
) -> list[StoredItem]:
    """Return what goes, records before layers: a record whose layers are gone would be a promise not kept."""
    names = {record.name for record in kept}
    used = {layer for name in names for layer in needs[name]}
    records = [item for item in items if item.kind == "record" and item.name not in names]
    others = [item for item in items if item.kind != "record" and item.name not in used and item.used < now - _GRACE]
    return [*records, *others]


def _layers(store: PrunableStore, record: StoredItem) -> frozenset[str]:
    """Return the layers that a record names; one that cannot be read names none."""
    with suppress(RegistryError):
        return layers_of(store.read_record(record.name) or b"")
    return frozenset()
