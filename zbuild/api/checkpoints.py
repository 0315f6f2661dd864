"""Checkpoints during a run: where a stage can begin, and which ones it leaves to the next (ADR 0015)."""

from __future__ import annotations

import time
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from zbuild.backend.protocol import Layering, Start
from zbuild.base.dataclass import dataclass
from zbuild.plan.planner import longest
from zbuild.state.record import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from zbuild.api.options import LayersChoice
    from zbuild.backend.protocol import KeptFiles, StageBuild
    from zbuild.graph.types import Settings
    from zbuild.model.project import LayersMode
    from zbuild.plan.planner import Decision
    from zbuild.state.records import RecordStore

_FIRST_GUESS = (0.1, 4e-9)  # seconds, and seconds for each byte
_SMALL, _LARGE = 1_000_000, 50_000_000  # bytes that tell nothing of what a byte takes, and those that do
_LEAST_RATE = 1e-10
_BELIEVED = 0.25  # the part of a rise that is believed after one run
_WORTH_NOTING = 0.2  # the part of a figure that a change must have to be written down


class Memory(Protocol):
    """Texts by name that outlive a run."""

    def get(self, key: str) -> str | None: ...  # noqa: D102
    def set(self, key: str, value: str) -> None: ...  # noqa: D102


class CommitPrice:
    """What a commit costs with a backend on this machine: measured, and remembered between runs."""

    def __init__(self, memory: Memory, backend: str) -> None:
        self._memory = memory
        self._name = f"seconds of a commit by {backend}"
        self._measured: list[tuple[float, int]] = []

    def remembered(self) -> tuple[float, float]:
        """Return the seconds of one more commit, and those for each byte that is written to it; or guesses."""
        try:
            fixed, per_byte = map(float, (self._memory.get(self._name) or "").split())
        except ValueError:
            return _FIRST_GUESS
        return (fixed, per_byte) if fixed > 0 and per_byte > 0 else _FIRST_GUESS

    def learn(self, commits: Collection[tuple[float, int]]) -> None:
        """Note what commits took: seconds, and bytes."""
        self._measured += commits

    def save(self) -> None:
        """Remember what was measured, unless that is no news.

        A busy machine makes commits slow for a while: what is less counts at once, what is more little by little.
        """
        before = self.remembered()
        fixed = min((seconds for seconds, size in self._measured if size <= _SMALL), default=before[0])
        rates = [(seconds - fixed) / size for seconds, size in self._measured if size >= _LARGE]
        measured = (fixed, max(min(rates, default=before[1]), _LEAST_RATE))
        now = [min(new, old + (new - old) * _BELIEVED) for old, new in zip(before, measured, strict=True)]
        if any(abs(new - old) > old * _WORTH_NOTING for old, new in zip(before, now, strict=True)):
            self._memory.set(self._name, " ".join(map(str, now)))


@dataclass(slots=True)
class RunCheckpoints:
    """The checkpoints of one run, for several threads at once.

    `present` are the images in the store, to which new ones are added; `layers` is what the command line asks for.
    `replaced` gathers the images of checkpoints in whose place others are recorded, `made` those of this run's results,
    which are recorded a little later, by the key of their files.
    """

    records: RecordStore
    price: CommitPrice
    backend: str
    run_id: str
    layers: LayersChoice = ""
    present: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    made: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def start(self, keys: Sequence[str], epoch: int | None = None) -> Start | None:
        """Return the checkpoint to begin at, given the keys of the files after each step.

        A stage with an epoch has none: its layers must not depend on what was built before, or how.
        """
        if epoch is not None:
            return None
        recorded = self.records.images_of(keys)
        images = {key: (*recorded.get(key, ()), *self.made.get(key, ())) for key in keys}
        done, image_id = longest(keys, images, self.present)
        return Start(image_id, done) if done else None

    def layering(self, decision: Decision, keys: tuple[str, ...], parting: tuple[int, ...]) -> Layering:
        """Return where a stage is to leave checkpoints; `parting` as in `Beginnings`."""
        mode = self.mode(decision.described.vertex.settings)
        edited = () if decision.edited is None else (decision.edited,)
        return Layering(mode, keys, *self.price.remembered(), likely=(*edited, *parting))

    def mode(self, settings: Settings) -> LayersMode:
        """Return how a stage with these settings leaves checkpoints.

        What is kept for the next build must not decide on the layers of an image that is to be reproducible.
        """
        return "none" if settings.epoch is not None else self.layers or settings.layers

    def lose(self, start: Start, images: Collection[str]) -> None:
        """Begin no more at a checkpoint that is gone or damaged, nor at others that are not among the images."""
        self.present.intersection_update(images)
        self.present.discard(start.image_id)

    def put(self, kept: KeptFiles, order: StageBuild) -> None:
        """Record a checkpoint; from now on others may begin at it."""
        checkpoint = Checkpoint(
            key=kept.key,
            stage=order.stage,
            done=kept.done,
            steps=len(order.steps),
            backend=self.backend,
            image_id=kept.image_id,
            diff_ids=kept.diff_ids,
            size=kept.size,
            created=time.time(),
            run_id=self.run_id,
        )
        self.replaced.update(self.records.images_of([kept.key]).get(kept.key, ()))
        self.records.checkpoints.put(checkpoint)
        self.present.add(kept.image_id)
