"""Values in files that may be torn, foreign or stale: marshal behind a header, and nothing at all when it does not fit.

The no-op path imports this module: it may import next to nothing (a test holds it to that).
"""

from __future__ import annotations

import marshal
import sys

import xxhash

import zbuild

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

FORMAT = 3
_DIGEST_SIZE = 16


def _header(kind: str) -> bytes:
    """Name everything a reader must agree on: marshal's format is Python's own, the values' shape is zbuild's."""
    return f"zbuild {kind} {FORMAT} {sys.hexversion:x} {zbuild.__version__}\n".encode()


def seal(kind: str, value: object) -> bytes:
    """Return a value as bytes: the header, the payload's xxh3_128, the payload.

    Raises ValueError for what marshal cannot hold: anything but plain builtin values.
    """
    payload = marshal.dumps(value)  # type: ignore[arg-type] # what it cannot hold, marshal itself refuses
    return _header(kind) + xxhash.xxh3_128_digest(payload) + payload


def unseal(kind: str, data: bytes) -> object | None:
    """Return the value, or None when the bytes are another kind, another version's, or damaged. Never raises."""
    header = _header(kind)
    start = len(header) + _DIGEST_SIZE
    if not data.startswith(header) or len(data) <= start:
        return None
    payload = data[start:]
    if xxhash.xxh3_128_digest(payload) != data[len(header) : start]:
        return None
    try:
        value: object = marshal.loads(payload)  # noqa: S302 - builtin values only, checksummed, in a folder of mode 0700
    except (EOFError, TypeError, ValueError):
        return None
    return value


def read_sealed(kind: str, path: str | os.PathLike[str]) -> object | None:
    """Return the value a file holds, or None when there is none to be had. Never raises."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - pathlib costs more than the whole fast path
            return unseal(kind, file.readall())
    except OSError:
        return None
