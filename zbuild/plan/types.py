"""The plan: every stage the targets need, in order, each with what will be done and why."""

from __future__ import annotations

from typing import Literal, TypeAlias

from zbuild.base.dataclass import dataclass

PlanAction: TypeAlias = Literal["run", "maybe", "cached", "pulled"]


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage of a plan.

    `maybe`: it runs only if its base, or what it copies from a stage that runs, comes out different (early cutoff);
    `reason` says which. `image` and `stage` are the two parts of what it is called: the image's name, and the stage's
    name or index.
    `key` is the key its result will be recorded under, "" where it depends on results still to come.
    `seconds` is what it took the last time, None when it never ran. `depends` are ids of stages it waits for. Of its
    `steps`, the instructions that change files, a checkpoint holds the first `done`.
    """

    id: str
    action: PlanAction
    reason: str
    image: str = ""
    stage: str = ""
    key: str = ""
    seconds: float | None = None
    depends: tuple[str, ...] = ()
    steps: int = 0
    done: int = 0
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages in the order of the graph: what a stage needs comes before it."""

    targets: tuple[str, ...]
    stages: tuple[PlannedStage, ...]
    backend: str = ""

    def count(self, action: PlanAction) -> int:
        """Return how many stages have that action."""
        return sum(1 for stage in self.stages if stage.action == action)


@dataclass(frozen=True, slots=True)
class Change:
    """One input of one instruction that differs from the record: `old` or `new` is "" when it was not there.

    `instruction` is as people wrote it, `what` the input (`file src/main.c`, `ARG VERSION`, `base`, `instruction`).
    """

    instruction: str
    what: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class StageExplanation:
    """Why a stage would run, or would not; `steps` and `done` are as in a plan."""

    id: str
    action: PlanAction
    reason: str
    changes: tuple[Change, ...] = ()
    steps: int = 0
    done: int = 0
    platform: str = ""
