"""In which order jobs are best begun: those first on which the longest work still waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.execution.outcome import Job


class JobGraph:
    """The jobs with the edges between them; names in `after` that are no jobs are left out.

    Raises ValueError when two jobs bear one name, or jobs wait for each other: the graph they came from is wrong.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = {job.name: job for job in jobs}
        if len(self.jobs) != len(jobs):
            raise ValueError("two jobs have the same name")
        self.needs = {job.name: tuple(n for n in dict.fromkeys(job.after) if n in self.jobs) for job in jobs}
        self.dependents: dict[str, list[str]] = {name: [] for name in self.jobs}
        for name, needs in self.needs.items():
            for need in needs:
                self.dependents[need].append(name)

    def longest_first(self) -> tuple[str, ...]:
        """Return the names by the longest remaining path of work, greatest first, each after all it needs."""
        order = self._topological()
        remaining: dict[str, float] = {}
        for name in reversed(order):
            behind = max((remaining[dependent] for dependent in self.dependents[name]), default=0.0)
            # A negative weight would put a job before what it needs.
            remaining[name] = max(self.jobs[name].weight, 0.0) + behind
        # Sorting is stable: among equals, and with weights of zero, the topological order stands.
        return tuple(sorted(order, key=lambda name: -remaining[name]))

    def _topological(self) -> list[str]:
        missing = {name: len(needs) for name, needs in self.needs.items()}
        order = [name for name, count in missing.items() if count == 0]
        for name in order:  # grows while it is walked
            for dependent in self.dependents[name]:
                missing[dependent] -= 1
                if missing[dependent] == 0:
                    order.append(dependent)
        if len(order) != len(self.jobs):
            raise ValueError("jobs wait for each other")
        return order

    def behind(self, name: str) -> tuple[str, ...]:
        """Return all jobs that depend on this one, directly or not, near ones first."""
        found = dict.fromkeys(self.dependents[name])
        queue = list(found)
        for dependent in queue:  # grows while it is walked
            for further in self.dependents[dependent]:
                if further not in found:
                    found[further] = None
                    queue.append(further)
        return tuple(queue)
