"""INT, TERM and HUP end a build in good order: children killed, jobs in flight ended, finished ones kept."""

from __future__ import annotations

import signal
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from zbuild.base.errors import InterruptedBuildError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType
    from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """While entered, a signal calls `stop` at once and `cancel` soon after; every further signal does so again.

    On leaving, the handlers are as before, and after a signal InterruptedBuildError is raised, in the place of any
    error that came of it. On a thread other than the main one signals are not to be had: nothing is done.

    `stop` runs inside the signal handler and must only set flags. `cancel` may take locks that the interrupted main
    thread holds, so it is called on a thread of its own, begun beforehand: a handler cannot start one safely.
    """

    def __init__(self, stop: Callable[[], None], cancel: Callable[[], None]) -> None:
        self._stop = stop
        self._cancel = cancel
        self._signals: SimpleQueue[int] = SimpleQueue()  # the one queue whose put is safe in signal handlers
        self._thread = threading.Thread(target=self._watch, name="zbuild-cancel", daemon=True)
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}
        self._trouble: Exception | None = None
        self.signum = 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._thread.start()
            for number in SIGNALS:
                # What this process was told to ignore (nohup, a shell's background job) stays ignored, and a handler
                # that is not Python's (None) could not be put back.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        self.signum = self.signum or signum
        self._stop()
        self._signals.put(signum)

    def _watch(self) -> None:
        while self._signals.get():
            try:
                self._cancel()
            except Exception as error:  # noqa: BLE001 - told as the interruption's cause; the next signal tries again
                self._trouble = error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._thread.is_alive():
            self._signals.put(0)
            self._thread.join()
        if self.signum:
            raise InterruptedBuildError(self.signum) from (error or self._trouble)
