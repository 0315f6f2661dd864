"""What the operating system refuses, as errors of the backend."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from zbuild.base.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = ("no space left on device", "disk quota exceeded")


def is_disk_full(error: OSError) -> bool:
    """Tell whether a disk, or a user's share of it, is full."""
    return error.errno in _FULL


def says_disk_full(lines: Sequence[str]) -> bool:
    """Tell whether a tool has failed for want of space."""
    return any(words in line.lower() for line in lines for words in _FULL_WORDS)


def system_error(error: OSError, what: str) -> BackendError:
    """Return the error for something zbuild could not do; `what` says what, and names the path."""
    code = "disk-full" if is_disk_full(error) else "system-error"
    place = error.filename
    where = f": {os.fsdecode(place)}" if isinstance(place, (str, bytes)) and os.fsdecode(place) not in what else ""
    return BackendError(code, f"{what}: {error.strerror}{where}")
