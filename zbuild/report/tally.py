"""The state of a build as its events tell it; every display reads this."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.base.text import checkpoint_text
from zbuild.events.types import (
    BuildFailed,
    BuildFinished,
    BuildStarted,
    InstructionStarted,
    Output,
    StageFailed,
    StageFinished,
    StageRetried,
    StageSkipped,
    StageStarted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.events.types import Event

Result: TypeAlias = Literal["built", "pulled", "cached", "failed", "skipped"]
_LINES = 3  # lines of output that a running stage shows


@dataclass(slots=True)
class RunningStage:
    """A stage at work: the instruction it is at (`index` from 1, 0 = none yet) and the last lines it wrote."""

    stage: str
    reason: str
    steps: int
    started: float
    index: int = 0
    text: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))


@dataclass(frozen=True, slots=True)
class EndedStage:
    """What became of a stage; `seconds` None for one that was never tried."""

    stage: str
    result: Result
    why: str
    seconds: float | None = None


@dataclass(slots=True)
class Tally:
    """Counts and lists that follow the events. `clock` gives the seconds that elapsed times are measured with.

    `ended` leaves out the stages that the plan knew to be cached: they are told first, and there may be hundreds.
    """

    clock: Callable[[], float] = time.monotonic
    plan: BuildStarted = field(default_factory=lambda: BuildStarted((), 0, 0))
    running: dict[str, RunningStage] = field(default_factory=dict)
    ended: list[EndedStage] = field(default_factory=list)
    failures: list[StageFailed] = field(default_factory=list)
    outcome: BuildFinished | BuildFailed | None = None
    _known: int = 0
    _told: int = 0

    @property
    def total(self) -> int:
        """How many stages the targets need."""
        return self.plan.run + self.plan.cached + self.plan.maybe + self.plan.pull

    @property
    def done(self) -> int:
        """How many of them have their result."""
        return min(self.cached + self.count("built") + self.count("pulled"), self.total)

    @property
    def cached(self) -> int:
        """How many needed no run: those known beforehand, and early cutoffs."""
        return self._known + self.count("cached")

    def count(self, result: Result) -> int:
        """Return how many stages have ended so in this run."""
        return sum(1 for stage in self.ended if stage.result == result)

    def take(self, event: Event) -> bool:  # noqa: C901 - one arm per event that changes the state
        """Follow one event. Returns whether it is news: what the plan knew to be cached is not."""
        match event:
            case BuildStarted():
                self._begin(event)
            case StageStarted():
                reason = event.reason + checkpoint_text(event.done, event.steps)
                self.running[event.stage] = RunningStage(event.stage, reason, event.steps, self.clock())
            case InstructionStarted():
                self._instruction(event)
            case Output():
                if event.stage in self.running:
                    self.running[event.stage].lines.append(event.line)
            case StageRetried():
                if event.stage in self.running:
                    self.running[event.stage].lines.clear()
            case StageFinished():
                return self._finish(event)
            case StageFailed():
                self._fail(event)
            case StageSkipped():
                self.ended.append(EndedStage(event.stage, "skipped", event.because))
            case BuildFinished() | BuildFailed():
                self.outcome = event
                self.running.clear()
            case _:
                pass
        return True

    def _begin(self, plan: BuildStarted) -> None:
        # A build plans again when an image vanished under it: what it has built by then is cached in the new plan.
        self.ended = [stage for stage in self.ended if stage.result in ("built", "pulled")]
        self.running.clear()
        self.failures.clear()
        self.plan = plan
        self._known = max(plan.cached - len(self.ended), 0)
        self._told = 0

    def _instruction(self, event: InstructionStarted) -> None:
        stage = self.running.get(event.stage)
        if stage is not None:
            stage.index, stage.text = event.index, event.text
            stage.lines.clear()

    def _finish(self, event: StageFinished) -> bool:
        if event.action == "cached" and self._told < self.plan.cached:
            self._told += 1
            return False
        started = self.running.pop(event.stage, None)
        result: Result = "built" if event.action == "run" else event.action
        reason = started.reason if started and result == "built" else event.reason
        self.ended.append(EndedStage(event.stage, result, reason, event.seconds))
        return True

    def _fail(self, event: StageFailed) -> None:
        started = self.running.pop(event.stage, None)
        seconds = self.clock() - started.started if started else None
        self.ended.append(EndedStage(event.stage, "failed", event.message, seconds))
        self.failures.append(event)
