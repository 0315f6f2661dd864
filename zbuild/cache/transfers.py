"""Threads for what waits on other machines. They hold up neither the build nor the end of the process."""

from __future__ import annotations

import queue
import signal
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TypeVar

from zbuild.base.errors import InterruptedBuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_T = TypeVar("_T")


class Transfers:
    """Does work on a few threads. After `cancel`, whoever waits goes on at once, whatever the network does."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._started = 0
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._cancelled: Future[None] = Future()

    def submit(self, work: Callable[[], _T]) -> Future[_T]:
        """Begin some work, as soon as a thread is free."""
        future: Future[_T] = Future()
        with self._lock:
            if self._started < self._workers:
                self._started += 1
                threading.Thread(target=self._serve, name="zbuild-transfer", daemon=True).start()
        self._queue.put((future, work))
        return future

    def result(self, future: Future[_T]) -> _T:
        """Wait for some work and return what it came to. Raises what it raises, and InterruptedBuildError."""
        either: tuple[Future[Any], ...] = (future, self._cancelled)
        wait(either, return_when="FIRST_COMPLETED")
        self.check()
        return future.result()

    def finish(self, futures: Sequence[Future[Any]], seconds: float) -> int:
        """Wait for some work, a while; return how much of it is not done. Raises InterruptedBuildError."""
        gathered: Future[None] = Future()
        left = len(futures)
        lock = threading.Lock()

        def ended(_future: Future[Any]) -> None:
            nonlocal left
            with lock:
                left -= 1
                if not left:
                    gathered.set_result(None)

        for future in futures:
            future.add_done_callback(ended)
        if futures:
            wait((gathered, self._cancelled), timeout=seconds, return_when="FIRST_COMPLETED")
        self.check()
        return sum(not future.done() for future in futures)

    def cancel(self) -> None:
        """Let everyone who waits go on, and refuse what comes later."""
        with self._lock:
            if not self._cancelled.done():
                self._cancelled.set_result(None)

    def check(self) -> None:
        """Raise InterruptedBuildError once cancelled; whoever cancelled knows which signal it really was."""
        if self._cancelled.done():
            raise InterruptedBuildError(signal.SIGINT)

    def _serve(self) -> None:
        while True:
            future, work = self._queue.get()
            try:
                self.check()
                value = work()
            except BaseException as error:  # noqa: BLE001 - it is for whoever waits
                future.set_exception(error)
            else:
                future.set_result(value)
            del future, work
