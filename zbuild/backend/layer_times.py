"""Gives all that a container has changed one time, so that no command sees when others ran."""

from __future__ import annotations

import os
import stat


def set_times(layer: bytes, root: bytes, epoch: int) -> None:
    """Let whatever lies in the folder `layer` bear a time (seconds since 1970), through the mount of it at `root`.

    The kernel leaves open what those see who have a layer mounted when its folder is changed itself. Raises OSError.
    """
    time_ns = epoch * 10**9
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(layer + folder) as items:
            for item in items:
                path = folder + b"/" + item.name
                info = item.stat(follow_symlinks=False)
                if stat.S_ISDIR(info.st_mode):
                    waiting.append(path)
                if info.st_mtime_ns != time_ns and not _is_removal(info):
                    os.utime(root + path, ns=(time_ns, time_ns), follow_symlinks=False)


def _is_removal(info: os.stat_result) -> bool:
    """Tell whether this stands for a file that was removed, which nobody sees in the mount."""
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0
