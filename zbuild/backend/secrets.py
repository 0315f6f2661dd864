"""The values of secrets: read when a command needs them, and hidden in what it prints."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.command import HIDDEN
from zbuild.backend.lines import LINE_LIMIT
from zbuild.base.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbuild.model.secrets import AgentSource, SecretSource

LIMIT = 500 * 1024
"""A secret's most bytes, as in BuildKit."""

_SHORTEST_PART = 4  # characters: a shorter line of a secret, like `{`, is none by itself
_PIECE = 1024


def missing_secret(source: SecretSource) -> str:
    """Say why a secret is not to be had where it is said to be; "" when it is. Its value is not read."""
    if not source.file:
        return "" if source.env in os.environ else f"the variable {source.env} is not set"
    try:
        found = Path(source.file).stat()
    except OSError as error:
        return f"{source.file}: {error.strerror}"
    if not stat.S_ISREG(found.st_mode):
        return f"{source.file} is no file"
    return f"{source.file} has more than {LIMIT} bytes" if found.st_size > LIMIT else ""


def missing_agent(source: AgentSource) -> str:
    """Say why an agent is not to be had where it is said to be; "" when it is."""
    if source.paths:
        gone = [path for path in source.paths if not Path(path).exists()]
        return f"there is no {gone[0]}" if gone else ""
    socket = os.environ.get("SSH_AUTH_SOCK")
    if not socket:
        return "the variable SSH_AUTH_SOCK is not set: no agent runs here"
    return "" if Path(socket).is_socket() else f"SSH_AUTH_SOCK: {socket} is no socket"


def read_secret(source: SecretSource) -> bytes | None:
    """Return a secret's value; None when it is not there. Raises BackendError for one that cannot be read."""
    if not source.file:
        return os.environb.get(os.fsencode(source.env))
    if missing_secret(source):
        return None
    try:
        return Path(source.file).read_bytes()
    except OSError as error:
        raise BackendError("secret-unreadable", f"cannot read the secret {source.file}: {error.strerror}") from None


def parts_to_hide(value: bytes) -> tuple[str, ...]:
    """Return the texts by which a secret shows in printed lines: it, or each of its lines that is not very short.

    Of a line that would be told in pieces the pieces are hidden.
    """
    lines = [line.strip() for line in value.decode("utf-8", "replace").splitlines()]
    shown = [line for line in lines if len(line) >= _SHORTEST_PART] if len(lines) > 1 else lines
    pieces = [
        line[start : start + _PIECE]
        for line in shown
        if len(line.encode()) > LINE_LIMIT - _PIECE
        for start in range(0, len(line), _PIECE)
    ]
    return tuple(part for part in (*shown, *pieces) if part)


class Redaction:
    """Replaces texts that must not be shown, in line after line."""

    def __init__(self) -> None:
        self._parts: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, parts: Iterable[str]) -> None:
        """Hide more texts."""
        self._parts |= set(parts)
        # The longest first, since one may be part of another.
        longest = sorted(self._parts, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest))) if longest else None

    def hide(self, text: str) -> str:
        """Return a text with `***` for what is hidden."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text
