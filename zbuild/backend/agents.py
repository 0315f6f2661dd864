"""Lends an ssh agent to a command: a socket of zbuild's own, behind which the real agent is asked.

The agent's own socket is its user's alone, and whoever reaches it may empty the agent or add keys. So a command gets
another one, with the owner and mode it asked for, that lets through what is needed to log in and nothing else
(draft-ietf-sshm-ssh-agent, section 3; BuildKit lets through the same).
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from zbuild.backend.command import Command
from zbuild.backend.proc import end_family, leaders_naming
from zbuild.base.errors import BackendError, StageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from zbuild.backend.process import Runner
    from zbuild.base.span import Span

_LENGTH = struct.Struct(">I")
_REQUEST_IDENTITIES, _SIGN_REQUEST = 11, 13
_ALLOWED = (_REQUEST_IDENTITIES, _SIGN_REQUEST)
_FAILURE = bytes([5])
_POLL = 0.01
_GRACE = 1.0
_LONGEST = 256 * 1024  # what OpenSSH's agent takes at most


@contextmanager
def lent_agent(agent: str, place: Path, mode: int, owner: tuple[int, int]) -> Iterator[None]:
    """Listen at `place` for as long as the block lasts, and hand on to the socket `agent`. Raises OSError."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listener.bind(str(place))
        os.chown(place, *owner)
        place.chmod(mode)
        listener.listen()
        lending = _Lending(agent, listener)
        thread = threading.Thread(target=lending.serve, name="zbuild-agent", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which close() does not
            thread.join()


@contextmanager
def key_agent(runner: Runner, place: str, keys: Sequence[str], span: Span) -> Iterator[None]:
    """Run an agent with the keys in some files for as long as the block lasts, with its socket at `place`.

    Raises StageError for keys it does not take, which tells of `span`; BackendError when there is no ssh-agent.
    """
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(runner.run, Command(("ssh-agent", "-D", "-a", place)))
        try:
            while not _answers(place):
                if running.done():
                    raise BackendError("tool-failed", f"ssh-agent does not start: {' '.join(running.result().stderr)}")
                runner.sleep(_POLL)
            _add_keys(runner, place, keys, span)
            yield
        finally:
            for leader in leaders_naming(place):
                end_family(leader, _GRACE)


def _answers(place: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
            asked.connect(place)
    except OSError:
        return False
    return True


def _add_keys(runner: Runner, place: str, keys: Sequence[str], span: Span) -> None:
    # Without a terminal ssh-add would ask by a window for what opens a key.
    env = (("SSH_AUTH_SOCK", place), ("SSH_ASKPASS_REQUIRE", "never"))
    added = runner.run(Command(("ssh-add", "-q", *keys), env=env))
    if added.returncode:
        hint = "add keys that have a passphrase to an agent, and give that"
        message = f"ssh-add does not take {', '.join(keys)}: {' '.join(added.stderr)}"
        raise StageError("bad-key", message, span=span, hint=hint)


class _Lending:
    """A listening socket and those who have come to it, a thread for each."""

    def __init__(self, agent: str, listener: socket.socket) -> None:
        self._agent = agent
        self._listener = listener

    def serve(self) -> None:
        """Take in whoever comes until the listener is shut down, and turn all out then."""
        guests: list[tuple[socket.socket, threading.Thread]] = []
        while True:
            try:
                guest, _ = self._listener.accept()
            except OSError:
                break
            thread = threading.Thread(target=self._attend, args=(guest,), name="zbuild-agent", daemon=True)
            guests = [known for known in guests if known[1].is_alive()]
            guests.append((guest, thread))
            thread.start()
        for guest, thread in guests:
            with suppress(OSError):
                guest.shutdown(socket.SHUT_RDWR)
            thread.join()

    def _attend(self, guest: socket.socket) -> None:
        with suppress(OSError), guest, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
            agent.connect(self._agent)
            while request := _read_message(guest):
                if request[0] in _ALLOWED:
                    _write_message(agent, request)
                    _write_message(guest, _read_message(agent) or _FAILURE)
                else:
                    _write_message(guest, _FAILURE)


def _read_message(stream: socket.socket) -> bytes:
    """Return a message's bytes, the first one being its type; b"" at the end, and for what is no message."""
    head = _read(stream, _LENGTH.size)
    length = _LENGTH.unpack(head)[0] if head else 0
    return _read(stream, length) if 0 < length <= _LONGEST else b""


def _read(stream: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            return b""
        data += more
    return data


def _write_message(stream: socket.socket, message: bytes) -> None:
    stream.sendall(_LENGTH.pack(len(message)) + message)
