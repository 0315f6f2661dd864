"""Keeps remote caches from growing for ever: what was not used for long goes, then what was used longest ago."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import RegistryError
from zbuild.cache.entry import layers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zbuild.cache.protocol import PrunableStore, StoredItem

_GRACE = 3600.0
"""Layers that were used since then are left alone: another machine may be about to write the record that needs them."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Seconds that an unused entry stays, 0 = for ever; bytes that all of them may take, 0 = any number."""

    ttl: float = 0.0
    max_size: int = 0


@dataclass(frozen=True, slots=True)
class Amount:
    """How many records and layers, and how many bytes."""

    records: int = 0
    layers: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed, or would be, and what is not allowed to stay but was used too lately to go."""

    gone: Amount
    waiting: Amount


def prune(store: PrunableStore, allowed: Allowed, now: float, *, dry_run: bool = False) -> Removal:
    """Remove what is not allowed to stay, and layers that no record names; records go first.

    What was used within the grace waits: layers, and the records that would go for nothing, as their layers stay.
    Raises RegistryError.
    """
    items = list(store.items())
    records = [item for item in items if item.kind == "record"]
    needs = {record.name: _layers(store, record) for record in records}
    layers = {item.name: item for item in items if item.kind == "layer"}
    kept = _newer(records, allowed.ttl, now)
    if allowed.max_size:
        kept = _within(sorted(kept, key=lambda item: item.used, reverse=True), needs, layers, allowed.max_size)
    young = frozenset(layer.name for layer in layers.values() if layer.used >= now - _GRACE)
    fresh = _newer(records, max(allowed.ttl, _GRACE) if allowed.ttl else 0.0, now)
    waiting = _waiting(fresh, kept, needs, young)
    gone = _gone(items, [*kept, *waiting], needs, now)
    if not dry_run:
        for item in gone:
            store.remove(item)
    used = _layers_of(kept, needs)
    return Removal(_amount(gone), _amount([*waiting, *(layers[name] for name in young - used)]))


def _newer(records: Iterable[StoredItem], age: float, now: float) -> list[StoredItem]:
    return [record for record in records if not age or record.used >= now - age]


def _amount(items: Sequence[StoredItem]) -> Amount:
    records = sum(item.kind == "record" for item in items)
    return Amount(records, len(items) - records, sum(item.size for item in items))


def _layers_of(records: Iterable[StoredItem], needs: Mapping[str, frozenset[str]]) -> frozenset[str]:
    return frozenset(layer for record in records for layer in needs[record.name])


def _waiting(
    fresh: Iterable[StoredItem],
    kept: Sequence[StoredItem],
    needs: Mapping[str, frozenset[str]],
    young: frozenset[str],
) -> list[StoredItem]:
    """Return the records over what is allowed that would free nothing yet: their layers stay, some for their youth."""
    names = {record.name for record in kept}
    stay = young | _layers_of(kept, needs)
    over = (record for record in fresh if record.name not in names)
    return [record for record in over if needs[record.name] <= stay and needs[record.name] & young]


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
    items: Iterable[StoredItem], kept: Sequence[StoredItem], needs: Mapping[str, frozenset[str]], now: float
) -> list[StoredItem]:
    """Return what goes, records before layers: a record whose layers are gone would be a promise not kept."""
    names = {record.name for record in kept}
    used = _layers_of(kept, needs)
    records = [item for item in items if item.kind == "record" and item.name not in names]
    others = [item for item in items if item.kind != "record" and item.name not in used and item.used < now - _GRACE]
    return [*records, *others]


def _layers(store: PrunableStore, record: StoredItem) -> frozenset[str]:
    """Return the layers that a record names; one that cannot be read names none."""
    with suppress(RegistryError):
        return layers_of(store.peek_record(record.name) or b"")
    return frozenset()
