"""Keeps unit tests to themselves: while it is shut, starting a process or opening a socket raises."""

from __future__ import annotations

import sys

_FORBIDDEN = (
    "subprocess.Popen",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.system",
    "socket.__new__",
    "socket.connect",
    "socket.bind",
)


class Guard:
    """An audit hook, which holds for every thread and cannot be imported around; hooks stay until Python exits."""

    def __init__(self) -> None:
        self.test = ""
        sys.addaudithook(self._audit)

    def _audit(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self.test and event in _FORBIDDEN:
            message = f"{event} in {self.test}: a unit test starts no process and opens no socket"
            raise AssertionError(message)
