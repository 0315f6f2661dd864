"""What the operating system and sqlite say went wrong, as errors that name the path and the next step."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from zbuild.base.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)
_HINT = "only `validate`, `lint`, `list` and `graph` do without it"
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def disk_full(path: Path | str) -> StateError:
    """Return the error for a disk, or a quota, that has no room left."""
    return StateError("disk-full", f"no space left to write {path}", hint="free some space, then build again")


def read_only(path: Path | str) -> StateError:
    """Return the error for state that may not be written."""
    return StateError(
        "state-read-only", f"{path} cannot be written: no permission, or a read-only file system", hint=_HINT
    )


def state_fault(error: OSError, path: Path | str) -> StateError:
    """Return the StateError for an OSError met at a path."""
    if error.errno in _FULL:
        return disk_full(path)
    if error.errno in _READ_ONLY:
        return read_only(path)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StateError("state-io", f"{path} cannot be used: {reason}")
