"""Runs jobs that depend on each other, several at a time, through doit."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.execution.order import JobGraph
from zbuild.execution.outcome import Done, ExitSummary
from zbuild.execution.signals import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zbuild.base.errors import ZbuildError
    from zbuild.execution.outcome import Job, Outcome


def run_jobs(
    jobs: Sequence[Job],
    *,
    workers: int,
    keep_going: bool,
    on_done: Callable[[str, object], None],
    on_failed: Callable[[str, ZbuildError], None],
    on_skipped: Callable[[str, str], None],
    cancel: Callable[[], None],
) -> ExitSummary:
    """Run every job after those it needs, `workers` at a time, those first on which the longest work waits.

    `on_done` (name, value) is called on this thread as each job ends, before any job that needs it begins; `on_failed`
    (name, error) likewise, then `on_skipped` (name, failed job) for all that needed it. Without `keep_going` no job is
    begun after one has failed; those running end in peace.

    When a callback raises, no further job is begun and no callback called, `cancel` is, and the error is raised once
    the running jobs have ended. After a signal likewise, but jobs that are done are still told: InterruptedBuildError.
    `cancel` must make running jobs end soon, one that is just about to start a process included; it is called from any
    thread, perhaps several times.

    Raises ValueError when two jobs have one name, or jobs wait for each other.
    """
    graph = JobGraph(jobs)
    if not jobs:
        return ExitSummary()
    return _Run(graph, _Callbacks(on_done, on_failed, on_skipped, cancel), workers, keep_going=keep_going).run()


@dataclass(frozen=True, slots=True)
class _Callbacks:
    done: Callable[[str, object], None]
    failed: Callable[[str, ZbuildError], None]
    skipped: Callable[[str, str], None]
    cancel: Callable[[], None]


class _Run:
    """One call of `run_jobs`: what has failed so far, and whom to tell."""

    def __init__(self, graph: JobGraph, tell: _Callbacks, workers: int, *, keep_going: bool) -> None:
        from zbuild.execution.doit_adapter import DoitRun  # noqa: PLC0415 - doit is costly to import

        self._graph = graph
        self._tell = tell
        self._failed: list[str] = []
        self._skipped: dict[str, None] = {}
        self._trouble: BaseException | None = None
        jobs = [graph.jobs[name] for name in graph.longest_first()]
        self._doit = DoitRun(jobs, graph.needs, self, workers=workers, keep_going=keep_going)
        self._interruption = Interruption(self._doit.stop, tell.cancel)

    def run(self) -> ExitSummary:
        with self._interruption:
            self._doit.run()
            if self._trouble is not None:
                raise self._trouble
        return ExitSummary(tuple(self._failed), tuple(self._skipped))

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Take note of a job's end. What a callback raises is kept for `run`: doit would leave its threads behind."""
        if self._trouble is not None:
            return
        try:
            self._note(job.name, outcome)
        except BaseException as error:  # noqa: BLE001 - raised again when the workers have ended
            self._trouble = error
            self._doit.stop()
            with suppress(Exception):  # what went wrong first is what must be told
                self._tell.cancel()

    def _note(self, name: str, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            self._tell.done(name, outcome.value)
        elif not self._interruption.signum:  # after a signal, jobs fail because they were killed
            self._failed.append(name)
            self._tell.failed(name, outcome.error)
            self._skip_behind(name)

    def _skip_behind(self, failed: str) -> None:
        for name in self._graph.behind(failed):
            if name not in self._skipped:
                self._skipped[name] = None
                self._tell.skipped(name, failed)
