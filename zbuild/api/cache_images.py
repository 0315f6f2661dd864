"""The images that builds of a workspace left in the store: which may go, and what that frees."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.state.record import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Self, TypeAlias

    from zbuild.api.session import Session
    from zbuild.backend.protocol import ImageUse
    from zbuild.state.record import Record

    Kept: TypeAlias = Record | Checkpoint


def shown(kept: Kept) -> str:
    """Return what people are told of a record: its stage, and of a checkpoint how far it goes."""
    return f"{kept.stage} ({kept.done} of {kept.steps})" if isinstance(kept, Checkpoint) else kept.stage


@dataclass(frozen=True, slots=True)
class Victims:
    """What may go: records and checkpoints, and the ids of those of their images that are in the store."""

    records: tuple[Kept, ...]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptImages:
    """What is recorded of one backend's images, when each was last used (unix time, by key), and what is in its store.

    `records` are those of results, and the checkpoints.
    """

    records: tuple[Kept, ...]
    last_used: Mapping[str, float]
    usage: Mapping[str, ImageUse]

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return what a session's records and backend tell now."""
        recorded: tuple[Kept, ...] = (*session.records.records(), *session.records.checkpoints.all())
        records = tuple(record for record in recorded if record.backend == session.backend.name)
        return cls(records, session.records.upkeep.last_used(), session.backend.usage())

    @property
    def present(self) -> tuple[str, ...]:
        """The ids of the images that are in the store."""
        return tuple(dict.fromkeys(record.image_id for record in self.records if record.image_id in self.usage))

    def tags(self, image_id: str) -> tuple[str, ...]:
        """Return the names that users gave an image."""
        return self.usage[image_id].given_names if image_id in self.usage else ()

    def own_size(self, images: Collection[str]) -> int:
        """Return the bytes that these images hold and no others of the store: what is free when they are gone."""
        chosen = frozenset(images)
        layers = {layer: size for image in chosen for layer, size in self.usage[image].layers.items()}
        others = {layer for image, use in self.usage.items() if image not in chosen for layer in use.layers}
        return sum(size for layer, size in layers.items() if layer not in others)

    def victims(self, needed: Collection[str], before: float) -> Victims:
        """Return what may go of what was last used before a time, given the keys of the records that are needed.

        An image stays with all its records where one of them does, where a user gave it a name, and where a container
        stands on it.
        """
        of_image: defaultdict[str, list[Kept]] = defaultdict(list)
        for record in self.records:
            of_image[record.image_id].append(record)
        loose = {
            image: records
            for image, records in of_image.items()
            if not self._is_held(image)
            and all(record.key not in needed and self.last_used[record.key] <= before for record in records)
        }
        records = tuple(record for records in loose.values() for record in records)
        return Victims(records, tuple(image for image in loose if image in self.usage))

    def _is_held(self, image_id: str) -> bool:
        use = self.usage.get(image_id)
        return use is not None and bool(use.given_names or use.in_use)

    def within(self, victims: Victims, budget: int) -> Victims:
        """Return as many of the victims, the least lately used first, as must go for all images to fit in a budget.

        What frees nothing by itself goes only after what it shares its layers with.
        """
        last_used: defaultdict[str, float] = defaultdict(float)
        for record in victims.records:
            last_used[record.image_id] = max(last_used[record.image_id], self.last_used[record.key])
        holders = Counter(layer for use in self.usage.values() for layer in use.layers)
        queue = sorted(victims.images, key=lambda image: last_used[image])
        chosen = []
        left = self.own_size(self.present)
        while left > budget:
            image = next((image for image in queue if self._freed(image, holders)), None)
            if image is None:
                break
            left -= self._freed(image, holders)
            holders.subtract(self.usage[image].layers.keys())
            queue.remove(image)
            chosen.append(image)
        records = [record for record in victims.records if record.image_id in chosen]
        return Victims(tuple(records), tuple(chosen))

    def _freed(self, image_id: str, holders: Mapping[str, int]) -> int:
        return sum(size for layer, size in self.usage[image_id].layers.items() if holders[layer] == 1)
