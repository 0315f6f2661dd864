"""The C library, for the system calls that Python has no functions for."""

from __future__ import annotations

import ctypes
import os
from functools import cache


@cache
def libc() -> ctypes.CDLL:
    """Return the library; its functions leave their error for `last_error`."""
    return ctypes.CDLL(None, use_errno=True)


def last_error(path: str) -> OSError:
    """Return what the last call of this thread failed with, as Python's own functions would raise it."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)
