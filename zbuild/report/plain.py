"""Progress as lines, for logs and pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, assert_never

from zbuild.base.text import checkpoint_text, duration_text, plural
from zbuild.events.types import (
    BuildFailed,
    BuildFinished,
    BuildStarted,
    ImagePushed,
    ImageTagged,
    InstructionFinished,
    InstructionStarted,
    Notice,
    Output,
    StageFailed,
    StageFinished,
    StageRetried,
    StageSkipped,
    StageStarted,
)
from zbuild.report.clean import one_line, printable
from zbuild.report.palette import Palette
from zbuild.report.stream import ProgressStream
from zbuild.report.summary import summary_lines
from zbuild.report.tally import Tally

if TYPE_CHECKING:
    from typing import TextIO

    from zbuild.events.types import Event

StageEvent: TypeAlias = (
    StageStarted
    | InstructionStarted
    | Output
    | InstructionFinished
    | StageRetried
    | StageFinished
    | StageFailed
    | StageSkipped
)
_WORTH_TIMING = 0.1  # seconds; faster instructions are told without an end


class PlainReport:
    """Writes one line per thing that happens; with several stages each line bears its stage's name."""

    def __init__(self, stream: TextIO, tally: Tally | None = None) -> None:
        self._stream = ProgressStream(stream)
        self._tally = tally or Tally()

    def __call__(self, event: Event) -> None:
        """Tell one event."""
        if self._tally.take(event):
            self._stream.lines(self._lines(event))

    def close(self) -> None:
        """Nothing is held open."""

    def _lines(self, event: Event) -> list[str]:
        match event:
            case BuildStarted():
                return plan_lines(event)
            case Notice() | ImageTagged() | ImagePushed():
                return notice_lines(event)
            case BuildFinished() | BuildFailed():
                return summary_lines(self._tally, Palette(), self._stream.encoding)
            case _:
                told = self._count(event) + _told(event, self._stream.encoding)
                return [self._prefix(event.stage) + told] if told else []

    def _count(self, event: StageEvent) -> str:
        """Return `2/5 ` for an instruction, so that its end can be told from that of another."""
        stage = self._tally.running.get(event.stage)
        if stage is not None and isinstance(event, InstructionStarted | InstructionFinished) and _worth_telling(event):
            return f"{event.index}/{stage.steps} "
        return ""

    def _prefix(self, stage: str) -> str:
        return f"[{stage}] " if self._tally.plan.run + self._tally.plan.maybe + self._tally.plan.pull != 1 else ""


def plan_lines(plan: BuildStarted) -> list[str]:
    """Say what is about to be done; nothing, when nothing is."""
    if plan.run + plan.maybe + plan.pull == 0:
        return []
    maybe = f", {plan.maybe} perhaps" if plan.maybe else ""
    pull = f", {plan.pull} to pull" if plan.pull else ""
    total = plural(plan.run + plan.maybe + plan.cached + plan.pull, "stage")
    return [f"zbuild: {total}: {plan.run} to run{maybe}{pull}, {plan.cached} cached"]


def notice_lines(event: Notice | ImageTagged | ImagePushed) -> list[str]:
    """Return what is told outside any stage."""
    if isinstance(event, ImageTagged):
        return [f"zbuild: {event.image} is tagged {', '.join(event.tags)}"] if event.tags else []
    if isinstance(event, ImagePushed):
        return [f"zbuild: {event.image} is pushed to {event.reference} ({event.digest})"]
    return [f"zbuild: {'warning: ' if event.level == 'warning' else ''}{printable(event.message)}"]


def _told(event: StageEvent, encoding: str) -> str:
    match event:
        case StageStarted():
            text = f"started: {event.reason}{checkpoint_text(event.done, event.steps)}"
        case InstructionStarted():
            text = event.text
        case Output():
            return f"  {printable(event.line, encoding)}".rstrip()
        case InstructionFinished():
            text = _instruction_end(event)
        case StageRetried():
            text = f"attempt {event.attempt}: {event.reason}"
        case StageFinished():
            text = _stage_end(event)
        case StageFailed():
            text = f"FAILED: {event.message}"
        case StageSkipped():
            text = f"skipped: {event.because}"
        case _:
            assert_never(event)
    return printable(one_line(text), encoding)


def _worth_telling(event: InstructionStarted | InstructionFinished) -> bool:
    # What a checkpoint holds has been told with the stage's start, and took no time.
    return isinstance(event, InstructionStarted) or event.seconds >= _WORTH_TIMING


def _instruction_end(event: InstructionFinished) -> str:
    return f"done in {duration_text(event.seconds)}" if _worth_telling(event) else ""


def _stage_end(event: StageFinished) -> str:
    if event.action == "cached":
        return f"cached: {event.reason}"
    return f"{'built' if event.action == 'run' else 'pulled'} in {duration_text(event.seconds)}"
