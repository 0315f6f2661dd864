"""The one module that imports doit (0.37): importing it costs about 30 ms, so only runs with something to do come here.

doit's lowest layer is used: it reads no arguments, no configuration and no plugins. Where it would
remember and print, objects of the same shape stand in: its own records are written at the end, where a kill loses them
all, and its error handling rebuilds exceptions from their text.

Tasks are named by their rank, 0 being the one to begin first: doit gives `=` and `*` in names a meaning, ranks have
neither. Ranks put what a task needs before it, so doit's own walk never nests and stays linear for deep chains.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Protocol

from doit.action import BaseAction
from doit.control import TaskControl, TaskDispatcher
from doit.exceptions import TaskFailed
from doit.runner import MThreadRunner
from doit.task import Stream, Task

from zbuild.base.errors import ZbuildError
from zbuild.execution.outcome import Done, Failed

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator, Sequence

    from zbuild.execution.outcome import Job, Outcome


class Listener(Protocol):
    """Is told on the calling thread, one at a time, how each job ended. Must not raise."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Take note of a job's end."""


class JobAction(BaseAction):  # type: ignore[misc] # doit has no types
    """Runs a job and keeps its outcome. Nothing that a job raises reaches doit, which would end the run by it."""

    # doit copies these from every action it has executed.
    out: str | None = None
    err: str | None = None
    result: str | None = None

    def __init__(self, job: Job, stopped: Callable[[], bool]) -> None:
        self.job = job
        self._stopped = stopped
        self.outcome: Outcome = Done()
        self.values: dict[str, object] = {}

    def execute(self, out: object = None, err: object = None) -> TaskFailed | None:  # noqa: ARG002 - doit passes its streams
        """Run the job, on a worker thread."""
        # A job that was handed out just before the stop must not begin when all the others have been cancelled.
        self.outcome = Failed(ZbuildError("cancelled", "not begun")) if self._stopped() else _outcome(self.job)
        return TaskFailed("") if isinstance(self.outcome, Failed) else None


def _outcome(job: Job) -> Outcome:
    try:
        return job.action()
    except ZbuildError as error:
        return Failed(error)
    except BaseException as error:  # noqa: BLE001 - SystemExit in a worker would end doit's run as well
        internal = ZbuildError(
            "internal",
            f"{job.name}: {type(error).__name__}: {error}",
            hint="this is a fault of zbuild: please report it",
        )
        internal.__cause__ = error
        return Failed(internal)


class _MustRun:
    """What doit wants to hear of a task's state: it must run."""

    status = "run"


class _Ledger:
    """Stands in for both doit's dependency database and its reporter, and passes on how tasks ended."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def save_success(self, task: Task) -> None:
        """Be told that a task succeeded, on the thread that called `run_all`, before anything that waits for it."""
        self._tell(task)

    def add_failure(self, task: Task, _fail: object) -> None:
        """Be told that a task failed, or was not tried since one before it failed, which the listener knows."""
        if task.executed:
            self._tell(task)

    def _tell(self, task: Task) -> None:
        action = task.actions[0]
        self._listener.ended(action.job, action.outcome)

    def status_is_ignore(self, _task: Task) -> bool:
        return False

    def get_status(self, _task: Task, _tasks: object = None) -> type[_MustRun]:
        """Serve doit's database, which is asked for the state, and its reporter, which is told that it is."""
        return _MustRun

    def get_values(self, _name: str) -> dict[str, object]:
        return {}

    def remove_success(self, _task: Task) -> None:
        """Forget nothing: there is no doit database."""

    def execute_task(self, _task: Task) -> None:
        """Tell nobody: the job itself says when it begins."""

    def add_success(self, _task: Task) -> None:
        """Tell nobody twice."""

    def complete_run(self) -> None:
        """Print no summary."""

    def close(self) -> None:
        """Close nothing: there is no doit database."""


class LongestFirst(TaskDispatcher):  # type: ignore[misc] # doit has no types
    """Dispatches the ready task of the lowest rank. doit's own takes ready ones first in, first out."""

    def __init__(self, tasks: dict[str, Task], selected: Sequence[str]) -> None:
        self._heap: list[tuple[int, Any]] = []
        super().__init__(tasks, {}, selected)

    def _get_next_node(self, ready: deque[Any], tasks_to_run: list[str]) -> Any:  # noqa: ANN401 - doit has no types
        """Return the node to go on with: one that has become ready, or one not looked at yet."""
        while ready:
            node = ready.popleft()
            heappush(self._heap, (int(node.task.name), node))
        if self._heap and (not tasks_to_run or self._heap[0][0] < int(tasks_to_run[-1])):
            return heappop(self._heap)[1]
        return super()._get_next_node(ready, tasks_to_run)


class DoitRun:
    """Jobs made into doit's tasks, ready to run. `jobs` come in the order of their rank, `needs` by name."""

    def __init__(
        self,
        jobs: Sequence[Job],
        needs: dict[str, tuple[str, ...]],
        listener: Listener,
        *,
        workers: int,
        keep_going: bool,
    ) -> None:
        self._stopped = False
        with _gc_paused():
            self._dispatcher = _dispatcher(jobs, needs, lambda: self._stopped)
        ledger = _Ledger(listener)
        self._runner = MThreadRunner(ledger, ledger, keep_going, False, Stream(0), max(workers, 1))  # noqa: FBT003 - doit's order

    def run(self) -> None:
        """Run until all jobs have ended, or none is to be begun any more and those begun have ended."""
        self._runner.run_all(self._dispatcher)

    def stop(self) -> None:
        """Begin no further job. May be called from anywhere, signal handlers included."""
        self._stopped = True
        self._runner._stop_running = True  # noqa: SLF001 - doit has no other way to stop


def _dispatcher(jobs: Sequence[Job], needs: dict[str, tuple[str, ...]], stopped: Callable[[], bool]) -> LongestFirst:
    rank = {job.name: str(number) for number, job in enumerate(jobs)}
    tasks = [
        Task(
            rank[job.name],
            [JobAction(job, stopped)],
            task_dep=[rank[need] for need in needs[job.name]],
            uptodate=[False],
            verbosity=0,
            io={"capture": False},
        )
        for job in jobs
    ]
    control = TaskControl(tasks)
    control.process(None)
    return LongestFirst(control.tasks, control.selected_tasks)


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Hold the garbage collector off while many objects are made that all stay: it takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
