"""What a stage says while it is built: events for those who watch, and every line in the stage's log."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.faults import system_error
from zbuild.backend.secrets import Redaction
from zbuild.events.types import InstructionFinished, InstructionStarted, Output, StageRetried

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import FileIO
    from types import TracebackType
    from typing import Self

    from zbuild.backend.protocol import StageBuild
    from zbuild.events.bus import Emit
    from zbuild.events.types import Stream

TAIL_LINES = 20


class Transcript:
    """One stage's transcript; `tail` holds the last lines that the instruction at work has written."""

    def __init__(self, order: StageBuild, emit: Emit) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.log = order.log
        self._stage = order.stage
        self._emit = emit
        self._stack = ExitStack()
        self._file: FileIO | None = None
        self._redaction = Redaction()

    def __enter__(self) -> Self:
        if self.log:
            with self._faults():
                Path(self.log).parent.mkdir(parents=True, exist_ok=True)
                self._file = self._stack.enter_context(Path(self.log).open("wb", buffering=0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def hide(self, texts: Iterable[str]) -> None:
        """Show `***` in place of some texts from now on."""
        self._redaction.add(texts)

    def hidden(self, text: str) -> str:
        """Return a text as it may be shown."""
        return self._redaction.hide(text)

    def cached(self, index: int, text: str) -> None:
        """Tell that a checkpoint holds what instruction `index` would do."""
        self._write(f"--> {text} (from a checkpoint)")
        self._emit(InstructionFinished(self._stage, index, 0.0, cached=True))

    def started(self, index: int, text: str) -> None:
        """Tell that instruction `index`, counted from 1, begins."""
        self.tail.clear()
        self._write(f"--> {text}")
        self._emit(InstructionStarted(self._stage, index, text))

    def line(self, stream: Stream, line: str) -> None:
        """Tell a line that a command has written."""
        line = self._redaction.hide(line)
        self.tail.append(line)
        self._write(line)
        self._emit(Output(self._stage, line, stream))

    def retried(self, index: int, attempt: int, reason: str) -> None:
        """Tell that an instruction has failed and is tried again."""
        self._write(f"--> retry {attempt}: {reason}")
        self._emit(StageRetried(self._stage, index, attempt, reason))

    def finished(self, index: int, seconds: float) -> None:
        """Tell that an instruction has ended well."""
        self._emit(InstructionFinished(self._stage, index, seconds))

    def _write(self, line: str) -> None:
        if self._file:
            with self._faults():
                self._file.write(f"{line}\n".encode("utf-8", "replace"))

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise system_error(error, f"cannot write the log {self.log}") from error
