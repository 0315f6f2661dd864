"""Images of other machines, brought into the store when they are needed and not before."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.events.types import StageFinished

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.api.stages import RunSetup
    from zbuild.events.types import Action
    from zbuild.plan.planner import Decision
    from zbuild.state.record import Record


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a stage: its record, whether it ran, how long it took, and why; the files it began with."""

    record: Record
    action: Action
    seconds: float
    reason: str
    log: str = ""
    began_at: str = ""


class Pulls:
    """The stages of one plan that were found elsewhere. `known` are the records of all that need not run."""

    def __init__(
        self, decisions: Mapping[str, Decision], setup: RunSetup, present: set[str], known: Mapping[str, Record]
    ) -> None:
        self._reasons = {name: item.reason for name, item in decisions.items() if item.action == "pulled"}
        self._setup = setup
        self._present = present
        self._known = known
        self._guard = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self.done: dict[str, Finished] = {}

    def ensure(self, name: str) -> Finished | None:
        """See that the image of a stage is in the store, if it was found elsewhere. Raises ImageGoneError."""
        if name not in self._reasons:
            return None
        started = time.monotonic()
        with self._guard:
            lock = self._locks[name]
        with lock:
            if name not in self.done:
                self.load(name, self._known[name], self._reasons[name].removeprefix("from "), started)
            return self.done[name]

    def load(self, name: str, record: Record, place: str, started: float) -> Finished:
        """Bring a record's image into the store, and keep the record. Raises ImageGoneError."""
        setup = self._setup
        names = setup.names.get(name, ())
        setup.records.begin(record.key, names)
        setup.remote.load(record, names)
        setup.records.put(record)
        seconds = time.monotonic() - started
        finished = Finished(record, "pulled", seconds, f"from {place}")
        with self._guard:
            self._present.add(record.image_id)
            self.done[name] = finished
        setup.emit(StageFinished(name, "pulled", seconds, finished.reason, record.image_id))
        return finished
