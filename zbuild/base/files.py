"""Replaces files so that a crash or a power cut at any point leaves the old content or the new, never half."""

from __future__ import annotations

import contextlib
import os
from _thread import get_ident

TYPE_CHECKING = False  # the no-op path may come here
if TYPE_CHECKING:
    from pathlib import Path

# `.<name>.<pid>-<thread>.tmp`, beside the file: what a killed process leaves can be told from what is being written.
TEMPORARY = ".tmp"


def write_whole(path: Path | str, data: bytes, mode: int = 0o600) -> None:
    """Replace a file's content; the new one is durable on return: file and folder are synced. Raises OSError.

    `mode` is the new file's, less what the user's umask takes away.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{get_ident()}{TEMPORARY}")  # noqa: PTH118 - called for paths of both kinds
    try:
        _write_synced(temporary, data, mode)
        os.replace(temporary, path)  # noqa: PTH105 - likewise
        sync_folder(folder or ".")
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - likewise
        raise


def _write_synced(path: str, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def sync_folder(path: str) -> None:
    """Make durable what was renamed or made in a folder. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
