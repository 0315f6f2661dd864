"""State and backend opened for one command, and the plan they give."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zbuild.api.again import stages_to_run
from zbuild.api.checkpoints import CommitPrice
from zbuild.api.graphs import file_clock
from zbuild.api.sources import WorkspaceSources
from zbuild.backend.protocol import Unfinished
from zbuild.backend.select import choose_backend
from zbuild.fetch.remotes import Remotes
from zbuild.plan.describe import describe
from zbuild.plan.planner import decide, make_plan
from zbuild.state.machine import MachineMemory
from zbuild.state.records import RecordStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from zbuild.api.options import BuildOptions
    from zbuild.graph.types import Graph
    from zbuild.plan.planner import Decision
    from zbuild.plan.types import Plan
    from zbuild.state.folder import StateFolder


class Session:
    """Holds the record store, the backend and the sources while one command runs; close it by `with`."""

    def __init__(
        self,
        root: Path,
        folder: StateFolder,
        options: BuildOptions,
        notice: Callable[[str], None],
        tell: Callable[[str], None] = lambda _message: None,
        *,
        only_look: bool = False,
    ) -> None:
        """With `only_look`, no image is pulled that is merely missing."""
        self._only_look = only_look
        self._options = options
        self.root = root
        self._folder = folder
        self._notice = notice
        self._tell = tell

    def __enter__(self) -> Self:
        self.records = RecordStore.open(self._folder, self._notice)
        memory = MachineMemory(self.records.memory)
        self.backend = choose_backend(
            self._options.backend, workspace=self.root, state=self._folder.path, memory=memory
        )
        self.price = CommitPrice(memory, self.backend.name)
        self.remotes = Remotes(self._folder.fetched, self._tell, self._notice)
        self.sources = WorkspaceSources(
            self.root, self._folder.stat, self.backend, self._options.pull, self.remotes, only_look=self._only_look
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.backend.close()
        finally:
            self.records.close()

    def sweep(self) -> tuple[str, ...]:
        """Clear away what dead runs left, and say what it was; the caller holds the workspace's lock.

        That is why every unfinished order is of a dead run.
        """
        unfinished = [Unfinished(order.names, order.started) for order in self.records.unfinished()]
        removed = self.backend.sweep(self.records.all_image_ids(), unfinished)
        if unfinished:
            self.records.clear_unfinished()
        return removed

    def decide(self, graph: Graph) -> dict[str, Decision]:
        """Decide what will be done with every stage of the graph. Raises UsageError for an unknown one to run again."""
        described = describe(graph, self.sources, self.backend.name)
        self.present = dict(self.backend.images())
        self.again = stages_to_run(graph, self._options)
        return decide(graph, described, self.records, self.present, self.again)

    def plan(self, graph: Graph) -> Plan:
        """Return the plan of a graph, and keep what was learned of files on the way."""
        plan = make_plan(graph, self.decide(graph), self.records, self.backend.name)
        self.sources.save()
        return plan

    def clock(self) -> int:
        """Return the file system's idea of now, in nanoseconds."""
        return file_clock(self._folder)

    def cancel(self) -> None:
        """Stop all that is being built or fetched."""
        self.backend.cancel()
        self.remotes.cancel()

    def jobs(self) -> int:
        """Return how many stages may run at once."""
        return self._options.jobs or os.cpu_count() or 1
