"""Trying again: what may succeed later, how long that is hoped for, and how a user's Ctrl-C ends the hoping."""

from __future__ import annotations

import random
import signal
import threading
import time

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import InterruptedBuildError, RegistryError


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: `connect` to reach a server, `stall` in which it must say something, `patience` for faults that pass.

    `pause` is waited before the second attempt, twice that before the third, and so on up to `longest`.
    """

    connect: float = 20.0
    stall: float = 30.0
    patience: float = 60.0
    pause: float = 0.5
    longest: float = 15.0


class TransientError(RegistryError):
    """A fault that may pass; `after` is for how many seconds the registry asked to be left alone."""

    after: float = 0.0


class Stop:
    """Whether the work is to end, from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """End what waits here, and refuse what comes later."""
        self._event.set()

    def check(self) -> None:
        """Raise InterruptedBuildError once set; whoever set it knows which signal it really was."""
        if self._event.is_set():
            raise InterruptedBuildError(signal.SIGINT)

    def sleep(self, seconds: float) -> None:
        """Wait. Raises InterruptedBuildError as soon as set."""
        self._event.wait(seconds)
        self.check()


class Patience:
    """Hope for one piece of work: it ends after `limits.patience` seconds without progress."""

    def __init__(self, limits: Limits, stop: Stop) -> None:
        self._limits = limits
        self._stop = stop
        self.renew()

    def renew(self) -> None:
        """Take note of progress."""
        self._since = 0.0
        self._pause = self._limits.pause

    def wait(self, error: TransientError) -> None:
        """Wait before the next attempt; raises the error itself when there is none, InterruptedBuildError."""
        self._stop.check()
        now = time.monotonic()
        self._since = self._since or now
        pause = max(error.after, self._pause * random.uniform(0.75, 1.25))  # noqa: S311 - spreads clients, hides nothing
        if now + pause > self._since + self._limits.patience:
            raise error
        self._stop.sleep(pause)
        self._pause = min(self._pause * 2, self._limits.longest)
