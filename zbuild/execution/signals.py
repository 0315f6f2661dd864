"""INT, TERM and HUP end a build in good order: children killed, jobs in flight ended, finished ones kept."""

from __future__ import annotations

import os
import signal
import threading
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

    `stop` also runs inside the signal handler, and must only set flags. `cancel` may take locks that the interrupted
    main thread holds, so it is called on a thread of its own, begun beforehand: a handler cannot start one safely.
    That thread is woken through Python's wake-up descriptor. A handler alone would not do: Python runs it on the main
    thread, and a signal that comes just before that thread blocks, waiting for a job, is not seen until the job ends.
    """

    def __init__(self, stop: Callable[[], None], cancel: Callable[[], None]) -> None:
        self.signum = 0
        self._stop = stop
        self._cancel = cancel
        self._trouble: Exception | None = None
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}
        self._watch: _Watch | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._watch = _Watch(self._come)
            for number in SIGNALS:
                # What this process was told to ignore (nohup, a shell's background job) stays ignored, and a handler
                # that is not Python's (None) could not be put back.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        self.signum = self.signum or signum
        self._stop()

    def _come(self, signum: int) -> None:
        if signum not in self._before:
            return
        self._handle(signum, None)
        try:
            self._cancel()
        except Exception as error:  # noqa: BLE001 - told as the interruption's cause; the next signal tries again
            self._trouble = error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._watch is not None:
            self._watch.close()
        if self.signum:
            raise InterruptedBuildError(self.signum) from (error or self._trouble)


class _Watch:
    """A thread that is told the number of every signal as it comes, whatever the main thread does. Main thread only."""

    def __init__(self, come: Callable[[int], None]) -> None:
        self._come = come
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)  # as Python wants it; a full pipe holds signals enough
        self._before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._run, name="zbuild-signals", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while numbers := os.read(self._read, 1):
            self._come(numbers[0])

    def close(self) -> None:
        """Put back what was there, and wait until all signals that came are dealt with."""
        signal.set_wakeup_fd(self._before)
        os.close(self._write)
        self._thread.join()
        os.close(self._read)
