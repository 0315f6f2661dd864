"""What the operating system refuses, as errors of the backend."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from zbuild.base.errors import BackendError, StageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.base.platform import Platform
    from zbuild.model.steps import RunStep

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


def cannot_start(step: RunStep, platform: Platform, reason: str) -> StageError:
    """Return the error for a command of a platform whose programs cannot run here."""
    message = f"'{step.text}': {reason}"
    if platform.os == "windows":
        return StageError("not-yet", message, span=step.span, hint="without RUN such an image can be built")
    hint = (
        "install one (apt-get install qemu-user-static), or do it in a stage that is FROM --platform=$BUILDPLATFORM "
        "and copy the result; stages without RUN need none"
    )
    return StageError("no-emulator", message, span=step.span, hint=hint)
