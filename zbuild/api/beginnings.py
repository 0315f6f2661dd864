"""Stages of one run that begin alike do what they share once: the others wait for its files, and go on from there."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

from zbuild.events.types import InstructionStarted
from zbuild.model.steps import RunStep
from zbuild.plan.key import prefix_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from zbuild.events.bus import Emit
    from zbuild.events.types import Event
    from zbuild.plan.describe import Described


class Beginnings:
    """What stages of one run have in common up to a RUN: what leads to none is done faster than waited for.

    `names` are those that will run, and may begin at checkpoints. For use by several threads at once.
    """

    def __init__(self, described: Mapping[str, Described], names: Collection[str]) -> None:
        runs = {name: _run_keys(described, name) for name in names}
        self._counts = Counter(key for keys in runs.values() for key in keys)
        self._shared = {
            name: {key: done for key, done in keys.items() if self._counts[key] > 1} for name, keys in runs.items()
        }
        self._at_work: set[str] = set()
        self._settled: set[str] = set()  # keys of what one stage has done: it is kept by now, or not worth it
        self._changed = threading.Condition()

    def parting(self, name: str) -> tuple[int, ...]:
        """Return after how many of its steps a stage parts with others."""
        shared, counts = self._shared.get(name, {}), self._counts
        return tuple(shared[key] for key, after in pairwise([*shared, ""]) if counts[key] > counts[after])

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Wait while another stage does what this one begins with, too; inside, others wait for this one.

        Its events are to go through `follow`.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._is_under_way(name))
            self._at_work.add(name)
        try:
            yield
            self._settle(name, sys.maxsize)
        finally:
            with self._changed:
                self._at_work.remove(name)
                self._changed.notify_all()

    def follow(self, emit: Emit) -> Emit:
        """Return what takes a stage's events in, and hands them on."""

        def followed(event: Event) -> None:
            emit(event)
            if isinstance(event, InstructionStarted):  # by now what came before is kept, if it was to be
                self._settle(event.stage, event.index - 1)

        return followed

    def _settle(self, name: str, done: int) -> None:
        keys = {key for key, step in self._shared.get(name, {}).items() if step <= done}
        if not keys <= self._settled:
            with self._changed:
                self._settled |= keys
                self._changed.notify_all()

    def _is_under_way(self, name: str) -> bool:
        mine = self._shared.get(name, {}).keys() - self._settled
        return any(mine & self._shared.get(other, {}).keys() for other in self._at_work)


def _run_keys(described: Mapping[str, Described], name: str) -> dict[str, int]:
    """Return the static keys of the files after each RUN of a stage, each with the number of steps."""
    item = described[name]
    keys = prefix_keys(item.material, lambda wanted: described[wanted.vertex].static_key)
    steps = enumerate(zip(keys, item.evaluation.steps, strict=True), 1)
    return {key: done for done, (key, step) in steps if isinstance(step, RunStep)}
