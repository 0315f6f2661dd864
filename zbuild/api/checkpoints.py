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
    from zbuild.plan.planner import Decision
    from zbuild.state.records import RecordStore

_FIRST_GUESS = 0.1  # seconds
_WORTH_NOTING = 0.2


class Memory(Protocol):
    """Texts by name that outlive a run."""

    def get(self, key: str) -> str | None: ...  # noqa: D102
    def set(self, key: str, value: str) -> None: ...  # noqa: D102


class CommitPrice:
    """What one more commit costs with a backend on this machine, in seconds: measured, and remembered between runs."""

    def __init__(self, memory: Memory, backend: str) -> None:
        self._memory = memory
        self._name = f"seconds of a commit by {backend}"
        self._measured: list[float] = []

    def seconds(self) -> float:
        """Return what is remembered, or a guess."""
        try:
            return float(self._memory.get(self._name) or _FIRST_GUESS)
        except ValueError:
            return _FIRST_GUESS

    def learn(self, seconds: float) -> None:
        """Note what a commit cost; 0 tells nothing."""
        if seconds:
            self._measured.append(seconds)

    def save(self) -> None:
        """Remember what was measured, unless that is no news."""
        if not self._measured:
            return
        before = self.seconds()
        now = (before + min(self._measured)) / 2
        if abs(now - before) > before * _WORTH_NOTING:
            self._memory.set(self._name, f"{now:.4f}")


@dataclass(slots=True)
class RunCheckpoints:
    """The checkpoints of one run, for several threads at once.

    `present` are the images in the store, to which new ones are added; `layers` is what the command line asks for.
    """

    records: RecordStore
    price: CommitPrice
    backend: str
    run_id: str
    layers: LayersChoice = ""
    present: set[str] = field(default_factory=set)

    def start(self, keys: Sequence[str], epoch: int | None = None) -> Start | None:
        """Return the checkpoint to begin at, given the keys of the files after each step.

        A stage with an epoch has none: its layers must not depend on what was built before.
        """
        if epoch is not None:
            return None
        done, image_id = longest(keys, self.records.images_of(keys), self.present)
        return Start(image_id, done) if done else None

    def layering(self, decision: Decision, keys: tuple[str, ...]) -> Layering:
        """Return where a stage is to leave checkpoints."""
        settings = decision.described.vertex.settings
        mode = self.layers or settings.layers
        if mode == "auto" and settings.epoch is not None:
            mode = "none"  # what was measured must not decide on layers
        return Layering(mode, keys, self.price.seconds(), decision.edited)

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
        self.records.checkpoints.put(checkpoint)
        self.present.add(kept.image_id)
