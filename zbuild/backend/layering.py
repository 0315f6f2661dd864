"""Decides, while a stage is built, after which steps its files are kept as a checkpoint (ADR 0015).

One more commit costs some fixed time, its *price*; what has been written must be committed once in any case. What a
checkpoint saves the next build is what it is *worth*: the time of the steps since the last commit, and of committing
what they wrote. It pays when the next build begins after it and no later than at the next one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zbuild.model.steps import CopyStep, takes_from_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.backend.protocol import StageBuild

# How many times its price a checkpoint must be worth: the less likely that the next build begins right there, the more.
# Of a build from nothing, checkpoints take a tenth at most; what leads to the first COPY is looked at more kindly.
_ANYWHERE, _BEFORE_CONTEXT, _WHERE_LIKELY = 10.0, 4.0, 1.0

# A file takes as long to commit as that many bytes (buildah, containers/storage with overlay): only the order counts.
_FILE = 25_000
# A step that took a second cannot have written more than that.
_MOST_WRITTEN = 5e9


def nothing_written(_limit: float) -> float:
    """Stand for a count where there is none."""
    return 0.0


class Checkpointing:
    """Follows the steps of one order."""

    def __init__(self, order: StageBuild) -> None:
        self._layering = order.layering
        self._steps = order.steps
        self._seconds = 0.0

    def is_due(self, done: int, seconds: float, written: Callable[[float], float] = nothing_written) -> bool:
        """Tell whether to commit after the first `done` steps, the last of which took so long.

        `written` counts the bytes that were written since the last commit, up to a limit, as `count_written` does.
        """
        self._seconds += seconds
        layering = self._layering
        if layering.mode == "none" or done == len(self._steps):
            return False
        if layering.mode == "all" or self._pays(self._times(done) * layering.price, written):
            self._seconds = 0.0
            return True
        return False

    def _times(self, done: int) -> float:
        if done in self._layering.likely:
            return _WHERE_LIKELY
        following = self._steps[done]
        return _BEFORE_CONTEXT if isinstance(following, CopyStep) and takes_from_context(following) else _ANYWHERE

    def _pays(self, enough: float, written: Callable[[float], float]) -> bool:
        missing = (enough - self._seconds) / self._layering.per_byte
        if missing <= 0:
            return True
        return self._seconds * _MOST_WRITTEN >= missing and written(missing) >= missing


def count_written(folder: bytes, limit: float) -> float:
    """Count the bytes of a tree, with some for each file; or of a part of it that has more than the limit."""
    count = 0.0
    waiting = [folder]
    while waiting and count < limit:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += _FILE
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    count += entry.stat(follow_symlinks=False).st_size
    return count
