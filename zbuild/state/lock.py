"""The workspace's lock: one build at a time writes the state, and a second one knows whom it waits for."""

from __future__ import annotations

import fcntl
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.base.errors import StateError
from zbuild.state.faults import state_fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

_SHOWN = 200
_UNKNOWN = "another zbuild"


def command_line() -> str:
    """Return this process's command line on one line, the program by its name alone."""
    program, *arguments = sys.argv or ["zbuild"]
    return shlex.join([Path(program).name, *arguments])


class WorkspaceLock:
    """A flock on `.zbuild/lock`, which the system frees when its holder dies, however it dies.

    The holder's process id and command line stand in the file, for the messages of those who wait.
    """

    def __init__(self, path: Path, command: str | None = None) -> None:
        self._path = path
        self._command = command_line() if command is None else command
        self._handle = -1

    def acquire(self, wait: bool, on_wait: Callable[[str], None]) -> Self:  # noqa: FBT001 - mirrors `--no-wait`
        """Take the lock; when another holds it, call `on_wait` once with who that is, and wait.

        The wait ends early when a signal's handler raises. Raises StateError: `locked` when not to wait.
        """
        untold = [on_wait]
        while self._handle < 0:
            handle = self._open()
            try:
                self._lock(handle, wait, untold)
                if self._is_current(handle):
                    self._sign(handle)
                    self._handle, handle = handle, -1
            except OSError as error:
                raise state_fault(error, self._path) from error
            finally:
                if handle >= 0:
                    os.close(handle)
        return self

    def _lock(self, handle: int, wait: bool, untold: list[Callable[[str], None]]) -> None:  # noqa: FBT001 - private
        if _try_lock(handle):
            return
        holder = _holder(handle)
        if not wait:
            raise _locked(holder)
        while untold:
            untold.pop()(holder)
        fcntl.flock(handle, fcntl.LOCK_EX)

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise state_fault(error, self._path) from error

    def _is_current(self, handle: int) -> bool:
        """Tell whether the file still has its name: if `.zbuild` was deleted meanwhile, others lock a new one."""
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False

    def _sign(self, handle: int) -> None:
        shown = self._command if len(self._command) <= _SHOWN else self._command[:_SHOWN] + "…"
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"pid {os.getpid()} ({shown})".encode("utf-8", "replace"), 0)

    def release(self) -> None:
        """Give the lock back; without it, do nothing."""
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            try:
                os.ftruncate(handle, 0)
            finally:
                os.close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> str:
    """Return who holds the lock; the file is empty for the moment between locking and signing it."""
    for _ in range(10):
        text = os.pread(handle, 4096, 0).decode("utf-8", "replace")
        if text:
            return "".join(char if char.isprintable() else "?" for char in text)
        time.sleep(0.005)
    return _UNKNOWN


def _locked(holder: str) -> StateError:
    return StateError(
        "locked", f"the workspace is being built by {holder}", hint="wait for it, or build without --no-wait"
    )
