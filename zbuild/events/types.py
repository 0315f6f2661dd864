"""The events of a build. Times are seconds on the monotonic clock of the run, unless said otherwise."""

from __future__ import annotations

from typing import Literal, TypeAlias

from zbuild.base.dataclass import dataclass

Action: TypeAlias = Literal["run", "cached", "pulled"]
Stream: TypeAlias = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """The plan stands. `run` + `cached` + `maybe` + `pull` = the stages the targets need."""

    targets: tuple[str, ...]
    run: int
    cached: int
    maybe: int = 0
    backend: str = ""
    pull: int = 0


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage begins to run; `reason` says why it must; `steps` is how many instructions it has.

    Of these, a checkpoint holds the first `done`.
    """

    stage: str
    reason: str
    steps: int
    done: int = 0


@dataclass(frozen=True, slots=True)
class InstructionStarted:
    """Instruction `index` (from 1) of a stage begins; `text` is what people are shown."""

    stage: str
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """One line a command wrote, without its newline."""

    stage: str
    line: str
    stream: Stream = "stdout"


@dataclass(frozen=True, slots=True)
class InstructionFinished:
    """An instruction ended well, after `seconds`."""

    stage: str
    index: int
    seconds: float
    cached: bool = False


@dataclass(frozen=True, slots=True)
class StageRetried:
    """A step failed and is tried again."""

    stage: str
    index: int
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class StageFinished:
    """A stage has its result, by running, from the records, or from a remote cache."""

    stage: str
    action: Action
    seconds: float
    reason: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class StageFailed:
    """A stage failed: the error's code and message, the last lines it wrote, and where its whole log is.

    `place` is the instruction's `file:line:column`, `hint` the next step; both may be "".
    """

    stage: str
    code: str
    message: str
    tail: tuple[str, ...] = ()
    log: str = ""
    place: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class StageSkipped:
    """A stage could not be tried, since one it depends on failed."""

    stage: str
    because: str


@dataclass(frozen=True, slots=True)
class ImageTagged:
    """An image now bears these tags."""

    image: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImagePushed:
    """A registry now holds an image under this reference; `digest` is its manifest's."""

    image: str
    reference: str
    digest: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know: a recovered state, a swept leftover, a lock waited for."""

    message: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True, slots=True)
class BuildFinished:
    """Everything asked for is there."""

    seconds: float
    run: int
    cached: int


@dataclass(frozen=True, slots=True)
class BuildFailed:
    """The build ended without all it was asked for."""

    seconds: float
    failed: tuple[str, ...]
    skipped: tuple[str, ...] = ()


Event: TypeAlias = (
    BuildStarted
    | StageStarted
    | InstructionStarted
    | Output
    | InstructionFinished
    | StageRetried
    | StageFinished
    | StageFailed
    | StageSkipped
    | ImageTagged
    | ImagePushed
    | Notice
    | BuildFinished
    | BuildFailed
)
