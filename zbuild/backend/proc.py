"""Finds in /proc all that a command has started, and ends it.

Killing buildah alone leaves its children, and killing its process group leaves what a RUN has put into a session of
its own. So a family is: the group and the session of the leader, its descendants, and whoever shares a mount namespace
(that is, a container) with one of these.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_POLL = 0.02


class _Stat(NamedTuple):
    pid: int
    state: str
    parent: int
    group: int
    session: int


class Family:
    """All processes of one command, found anew at each look; `leader` is the pid of a session's leader.

    Its mount namespaces are held open as long as it lives: the kernel gives the number of one that is gone to the next
    that is made, and that may be the container of somebody else.
    """

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._stack = ExitStack()
        self._namespaces: set[int] = set()
        own = _namespace(os.getpid())
        for pid in _descendants(leader, _processes()):
            with suppress(OSError):
                descriptor = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
                self._stack.callback(os.close, descriptor)
                self._namespaces |= {os.fstat(descriptor).st_ino} - {own}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def members(self) -> set[int]:
        """Return the pids of those alive."""
        processes = [stat for stat in _processes() if stat.state not in "ZX"]
        found = _descendants(self._leader, processes)
        if self._namespaces:
            found |= {stat.pid for stat in processes if _namespace(stat.pid) in self._namespaces}
        return found

    def end(self, grace: float) -> None:
        """Send TERM to all, and KILL to those that have not ended after `grace` seconds."""
        self._send(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self.members() and time.monotonic() < deadline:
            time.sleep(_POLL)
        self._send(signal.SIGKILL)

    def _send(self, signum: signal.Signals) -> None:
        for pid in self.members():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signum)


def end_family(leader: int, grace: float) -> None:
    """End a command and all that it has started; see `Family.end`."""
    with Family(leader) as family:
        family.end(grace)


def leaders_naming(word: str) -> list[int]:
    """Return the session leaders that were started with this very argument."""
    needle = os.fsencode(word)
    return [stat.pid for stat in _processes() if stat.pid == stat.session and needle in _arguments(stat.pid)]


def _descendants(leader: int, processes: list[_Stat]) -> set[int]:
    found = {stat.pid for stat in processes if leader in (stat.pid, stat.group, stat.session)}
    size = 0
    while size != len(found):
        size = len(found)
        found |= {stat.pid for stat in processes if stat.parent in found}
    return found


def _processes() -> list[_Stat]:
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [stat for pid in pids if (stat := _stat(pid))]


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name stands in parentheses and may hold anything (proc(5)).
    state, parent, group, session = text.rpartition(")")[2].split()[:4]
    return _Stat(pid, state, int(parent), int(group), int(session))


def _namespace(pid: int) -> int:
    """Return the number of a process' mount namespace, 0 when it has none any more."""
    try:
        return Path(f"/proc/{pid}/ns/mnt").stat().st_ino
    except OSError:
        return 0


def _arguments(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
