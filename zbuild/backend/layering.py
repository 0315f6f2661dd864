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
_ANYWHERE, _BEFORE_CONTEXT, _WHERE_EDITED = 10.0, 4.0, 1.0

# Seconds that a commit takes for each file and byte (buildah, containers/storage with overlay): a tar is made, hashed
# and unpacked again. Only their order of magnitude matters.
_PER_FILE, _PER_BYTE = 1e-4, 4e-9
# A step that took a second cannot have written what takes longer than this to commit.
_MOST_PER_SECOND = 20.0
_LEAST_PRICE = 0.01


def nothing_written(_limit: float) -> float:
    """Stand for an estimate where there is none."""
    return 0.0


class Checkpointing:
    """Follows the steps of one order."""

    def __init__(self, order: StageBuild) -> None:
        self._layering = order.layering
        self._steps = order.steps
        self._seconds = 0.0

    def is_due(self, done: int, seconds: float, written: Callable[[float], float] = nothing_written) -> bool:
        """Tell whether to commit after the first `done` steps, the last of which took so long.

        `written` estimates the seconds to commit what was written since the last commit; beyond the limit that it is
        given it need not be right.
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
        if done == self._layering.edited:
            return _WHERE_EDITED
        following = self._steps[done]
        return _BEFORE_CONTEXT if isinstance(following, CopyStep) and takes_from_context(following) else _ANYWHERE

    def _pays(self, enough: float, written: Callable[[float], float]) -> bool:
        missing = enough - self._seconds
        if missing <= 0:
            return True
        return self._seconds * _MOST_PER_SECOND >= missing and written(missing) >= missing


def commit_seconds(folder: bytes, limit: float) -> float:
    """Estimate how long it takes to commit a tree, or a part of it that takes longer than the limit."""
    seconds = 0.0
    waiting = [folder]
    while waiting and seconds < limit:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                seconds += _PER_FILE
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    seconds += entry.stat(follow_symlinks=False).st_size * _PER_BYTE
    return seconds


def price(seconds: float, size: int) -> float:
    """Return what a commit and the container that it was made of cost, besides writing so many bytes."""
    return max(seconds - size * _PER_BYTE, _LEAST_PRICE)
