"""The one place that starts processes: streaming, timeouts, and no process left behind.

Each command leads a session of its own, so that Ctrl-C reaches zbuild alone. One that is stopped gets TERM, then KILL,
and so does all that it has started (see `proc.py`).
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
import weakref
from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING

from zbuild.backend.command import hide
from zbuild.backend.lines import LineStream
from zbuild.backend.proc import end_family
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import BackendError, InterruptedBuildError

if TYPE_CHECKING:
    from zbuild.backend.command import Command
    from zbuild.backend.lines import OnLine

GRACE = 2.0
DRAIN = 1.0
_CHUNK = 65536
_FOREVER = float("inf")
_INSTALL = {
    "buildah": "install it: apt-get install buildah",
    "git": "install it: apt-get install git",
    "skopeo": "install it: apt-get install skopeo",
}


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended: its exit code (-N: killed by signal N), its stdout, the last lines of its stderr.

    `stdout` is kept only when no one listened to the lines.
    """

    returncode: int
    stdout: str = ""
    stderr: tuple[str, ...] = ()


class CommandTimeoutError(BackendError):
    """A command took too long, or wrote nothing for too long, and was stopped."""


class Runner:
    """Runs commands, from any number of threads, until it is cancelled."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        # Readable once cancelled: every thread that waits for its command's output waits for this as well.
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        weakref.finalize(self, os.close, self._wake)

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop every running command, and refuse later ones."""
        self._cancelled.set()
        os.eventfd_write(self._wake, 1)

    def check(self) -> None:
        """Raise InterruptedBuildError once cancelled; whoever cancelled knows which signal it really was."""
        if self.cancelled:
            raise InterruptedBuildError(signal.SIGINT)

    def sleep(self, seconds: float) -> None:
        """Wait. Raises InterruptedBuildError as soon as cancelled."""
        self._cancelled.wait(seconds)
        self.check()

    def run(self, command: Command, on_line: OnLine | None = None, *, cleanup: bool = False) -> Completed:
        """Run a command to its end, handing its lines to `on_line` as they come.

        A `cleanup` runs even when cancelled. Raises InterruptedBuildError when cancelled, CommandTimeoutError, and
        BackendError when the program is missing or cannot be started.
        """
        if not cleanup:
            self.check()
        with ExitStack() as stack:
            process = _start(command, stack)
            watch = _Watch(command, process, on_line)
            try:
                watch.follow(None if cleanup else self._wake)
            except BaseException:
                end_family(process.pid, GRACE)
                raise
            return watch.completed()


def _start(command: Command, stack: ExitStack) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(  # noqa: S603 - an argument vector, never a shell line
            command.argv,
            stdin=_input(command.stdin, stack),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.cwd or None,
            env=_environment(command),
            start_new_session=True,
            umask=command.umask,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        raise _start_error(command, error) from error
    return stack.enter_context(process)


def _environment(command: Command) -> dict[str, str] | None:
    if not command.env and not command.drop:
        return None
    kept = {name: value for name, value in os.environ.items() if name not in command.drop}
    return kept | dict(command.env)


def _input(data: bytes, stack: ExitStack) -> IO[bytes] | int:
    """Give data through a file in memory: a pipe would have to be written while the output is read."""
    if not data:
        return subprocess.DEVNULL
    file: IO[bytes] = stack.enter_context(open(os.memfd_create("stdin"), "w+b"))  # noqa: PTH123, SIM115 - the stack closes it
    file.write(data)
    file.seek(0)
    return file


def _start_error(command: Command, error: OSError | ValueError) -> BackendError:
    tool = command.argv[0]
    if isinstance(error, FileNotFoundError) and error.filename != command.cwd:
        return BackendError("tool-missing", f"{tool} is not installed", hint=_INSTALL.get(tool, ""))
    return BackendError("tool-failed", f"cannot start {tool}: {hide(str(error), command.redact)}")


class _Watch:
    """Follows one command until it has ended and all it wrote is read."""

    def __init__(self, command: Command, process: subprocess.Popen[bytes], on_line: OnLine | None) -> None:
        self._command = command
        self._process = process
        self._stdout = LineStream("stdout", on_line)
        self._stderr = LineStream("stderr", on_line)
        self._open = 2
        self._ready: set[int] = set()
        self._heard = time.monotonic()
        self._deadline = self._heard + command.timeout if command.timeout else _FOREVER

    def completed(self) -> Completed:
        """Reap the process and return what is known of it."""
        return Completed(self._process.wait(), self._stdout.text(), tuple(self._stderr.tail))

    def follow(self, wake: int | None) -> None:
        """Read until the end; `wake` becomes readable when the command is to be stopped."""
        with selectors.DefaultSelector() as selector, ExitStack() as stack:
            ended = os.pidfd_open(self._process.pid)
            stack.callback(os.close, ended)
            selector.register(ended, selectors.EVENT_READ)
            if wake is not None:
                selector.register(wake, selectors.EVENT_READ)
            for pipe, stream in ((self._process.stdout, self._stdout), (self._process.stderr, self._stderr)):
                if pipe:
                    selector.register(pipe, selectors.EVENT_READ, stream)
            while ended not in self._read(selector, self._limit()):
                self._check(wake)
            selector.unregister(ended)
            self._drain(selector)

    def _drain(self, selector: selectors.BaseSelector) -> None:
        """Read what is left in the pipes of a process that has ended, but wait for no one who still holds them."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._read(selector, 0)  # on a busy machine the time may be over before anything has been read
        limit = time.monotonic() + DRAIN
        while self._open and time.monotonic() < limit:
            self._read(selector, limit)

    def _read(self, selector: selectors.BaseSelector, limit: float) -> set[int]:
        """Wait for output until `limit`, hand it on, and return the descriptors that were ready."""
        ready = selector.select(None if limit == _FOREVER else max(limit - time.monotonic(), 0))
        for key, _ in ready:
            if isinstance(key.data, LineStream):
                data = os.read(key.fd, _CHUNK)
                key.data.feed(data)
                self._heard = time.monotonic()
                if not data:
                    selector.unregister(key.fileobj)
                    self._open -= 1
        self._ready = {key.fd for key, _ in ready}
        return self._ready

    def _limit(self) -> float:
        silence = self._command.silence
        return min(self._deadline, self._heard + silence if silence else _FOREVER)

    def _check(self, wake: int | None) -> None:
        if wake in self._ready:
            raise InterruptedBuildError(signal.SIGINT)
        now = time.monotonic()
        if now >= self._deadline:
            raise CommandTimeoutError("timeout", f"stopped after {self._command.timeout:g} s")
        if now >= self._limit():
            raise CommandTimeoutError("timeout", f"stopped: it wrote nothing for {self._command.silence:g} s")
