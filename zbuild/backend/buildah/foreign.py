"""Whether programs of another platform run here: the kernel knows their architecture, or an emulator of it."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zbuild.backend.buildah.exit_program import exit_program
from zbuild.backend.command import Command
from zbuild.base.errors import BackendError
from zbuild.base.platform import host_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.backend.process import Runner
    from zbuild.base.platform import Platform


def cannot_run(runner: Runner, platform: Platform) -> str:
    """Return why programs of a platform cannot run here, "" when they can or nobody knows.

    What decides is not what is installed but what the kernel does, so the smallest program is tried.
    """
    host = host_platform()
    if platform.os != host.os:
        return f"commands of {platform.os.capitalize()} images cannot run on this machine"
    program = None if platform.architecture == host.architecture else exit_program(platform.architecture)
    if program is None:
        return ""
    with _in_memory(program) as path:
        try:
            runs = runner.run(Command((path,))).returncode == 0
        except BackendError as error:
            runs = not (isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ENOEXEC)
    return "" if runs else f"this machine ({host}) cannot run programs of {platform}, and has no emulator of it"


@contextmanager
def _in_memory(program: bytes) -> Iterator[str]:
    """Make an executable file that needs no folder, which might be mounted noexec; yield its path."""
    written = os.memfd_create("zbuild-probe", os.MFD_CLOEXEC)
    try:
        os.write(written, program)
        # A file that is open for writing cannot be executed.
        opened = os.open(f"/proc/self/fd/{written}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(written)
    try:
        yield f"/proc/{os.getpid()}/fd/{opened}"
    finally:
        os.close(opened)
