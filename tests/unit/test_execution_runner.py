from __future__ import annotations

import gc
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from zbuild.base.errors import InterruptedBuildError, StageError, StateError
from zbuild.execution.outcome import Done, ExitSummary, Failed, Job
from zbuild.execution.runner import run_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zbuild.base.errors import ZbuildError
    from zbuild.execution.outcome import Outcome

MAIN = threading.main_thread()


class Told:
    """What `run_jobs` told, in order; everything must be told on the main thread."""

    def __init__(self) -> None:
        self.done: dict[str, object] = {}
        self.failed: dict[str, ZbuildError] = {}
        self.skipped: list[tuple[str, str]] = []
        self.cancelled = threading.Event()
        self.cancels = 0

    def on_done(self, name: str, value: object) -> None:
        assert threading.current_thread() is MAIN
        self.done[name] = value

    def on_failed(self, name: str, error: ZbuildError) -> None:
        assert threading.current_thread() is MAIN
        self.failed[name] = error

    def on_skipped(self, name: str, because: str) -> None:
        self.skipped.append((name, because))

    def cancel(self) -> None:
        self.cancels += 1
        self.cancelled.set()

    def run(
        self,
        jobs: Sequence[Job],
        workers: int = 2,
        *,
        keep_going: bool = False,
        on_done: Callable[..., None] | None = None,
    ) -> ExitSummary:
        return run_jobs(
            jobs,
            workers=workers,
            keep_going=keep_going,
            on_done=on_done or self.on_done,
            on_failed=self.on_failed,
            on_skipped=self.on_skipped,
            cancel=self.cancel,
        )


@pytest.fixture
def told() -> Told:
    return Told()


def done() -> Outcome:
    return Done()


def fail() -> Outcome:
    return Failed(StageError("run-failed", "make: no rule", returncode=2, tail=("last line",)))


def job(name: str, *after: str, action: Callable[[], Outcome] = done, weight: float = 1.0) -> Job:
    return Job(name, after, weight, action)


@pytest.mark.parametrize("workers", [0, 1, 2, 9])
def test_every_job_runs_after_what_it_needs(told: Told, workers: int) -> None:
    began: list[str] = []

    def action(name: str, *after: str) -> Job:
        def run() -> Outcome:
            assert set(after) <= told.done.keys()  # told before what waits for it begins
            began.append(name)
            return Done(name.upper())

        return Job(name, after, 1.0, run)

    jobs = [action("d", "b", "c"), action("c", "a"), action("b", "a"), action("a"), action("e")]
    assert told.run(jobs, workers) == ExitSummary()
    assert told.done == {name: name.upper() for name in "abcde"}
    assert sorted(began) == list("abcde")
    assert told.cancels == 0


def test_nothing_to_run(told: Told) -> None:
    assert told.run([]) == ExitSummary()


def test_any_name_will_do(told: Told) -> None:
    names = ["a=b", "*", "a*", "", "x/y:z", "0", "-k", "é\udcff", "a\nb", "1"]
    jobs = [job(name, *names[:number], "gone*", "*=") for number, name in enumerate(names)]
    assert told.run(jobs) == ExitSummary()
    assert list(told.done) == names


def test_jobs_run_at_once_but_no_more_than_the_workers(told: Told) -> None:
    barrier = threading.Barrier(3, timeout=10)
    running, most, lock = 0, 0, threading.Lock()

    def action() -> Outcome:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        barrier.wait()
        with lock:
            running -= 1
        return Done()

    told.run([job(str(number), action=action) for number in range(6)], workers=3)
    assert most == 3


def test_the_longest_remaining_path_goes_first_even_among_those_made_ready(told: Told) -> None:
    began: list[str] = []

    def named(name: str, *after: str, weight: float) -> Job:
        def run() -> Outcome:
            began.append(name)
            return Done()

        return Job(name, after, weight, run)

    jobs = [
        named("root", weight=100),
        *(named(f"small{number}", "root", weight=1) for number in range(5)),
        named("big", "root", weight=50),
        named("lone", weight=20),
        named("medium", "root", weight=10),
    ]
    told.run(jobs, workers=1)
    assert began[:4] == ["root", "big", "lone", "medium"]


def makespan(order: Sequence[str], jobs: Sequence[Job]) -> float:
    """Return how long two workers take who begin unit jobs in that order, each as soon as it may."""
    needs = {job.name: job.after for job in jobs}
    free, ends = [0.0, 0.0], {}
    for name in order:
        worker = free.index(min(free))
        free[worker] = ends[name] = max(free[worker], *(ends[need] for need in needs[name]), 0.0) + 1.0
    return max(ends.values())


def test_longest_first_is_shorter_than_first_in_first_out(told: Told) -> None:
    began: list[str] = []

    def named(name: str, *after: str) -> Job:
        return job(name, *after, action=lambda: began.append(name) or Done())

    # Written as they often are, the long chain last: in that order it begins when all else is done.
    jobs = [*(named(f"short{number}") for number in range(6)), named("c1"), named("c2", "c1"), named("c3", "c2")]
    told.run(jobs, workers=1)
    assert makespan([job.name for job in jobs], jobs) == 6.0
    assert makespan(began, jobs) == 5.0


def test_without_keep_going_nothing_new_begins_and_what_runs_ends_in_peace(told: Told) -> None:
    failed = threading.Event()

    def slow() -> Outcome:
        assert failed.wait(10)
        return Done("late")

    def failing() -> Outcome:
        failed.set()
        return fail()

    jobs = [job("bad", action=failing, weight=9), job("slow", action=slow, weight=8)]
    jobs += [job("next", "bad"), job("after", "next"), job("lone", weight=0.1), job("behind", "slow")]
    summary = told.run(jobs)
    assert summary == ExitSummary(("bad",), ("next", "after"))
    assert told.done == {"slow": "late"}
    assert told.skipped == [("next", "bad"), ("after", "bad")]
    assert isinstance(told.failed["bad"], StageError)
    assert told.failed["bad"].tail == ("last line",)
    assert told.cancels == 0


def test_with_keep_going_the_independent_rest_is_built(told: Told) -> None:
    jobs = [job("bad", action=fail), job("next", "bad"), job("both", "next", "lone"), job("lone"), job("end", "lone")]
    assert told.run(jobs, keep_going=True) == ExitSummary(("bad",), ("next", "both"))
    assert told.done.keys() == {"lone", "end"}


def test_two_failures_skip_a_common_dependent_once(told: Told) -> None:
    jobs = [job("x", action=fail, weight=3), job("y", action=fail), job("z", "x", "y")]
    assert told.run(jobs, workers=1, keep_going=True) == ExitSummary(("x", "y"), ("z",))
    assert told.skipped == [("z", "x")]


def test_an_error_raised_by_a_job_is_its_failure(told: Told) -> None:
    error = StageError("run-failed", "text", returncode=3)

    def action() -> Outcome:
        raise error

    assert told.run([job("a", action=action)]).failed == ("a",)
    assert told.failed["a"] is error


class OddError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


@pytest.mark.parametrize(
    "raised", [OddError("a", "b"), ValueError("x"), SystemExit(3), KeyboardInterrupt(), MemoryError()]
)
def test_what_a_job_should_not_raise_is_an_internal_error(told: Told, raised: BaseException) -> None:
    def action() -> Outcome:
        raise raised

    assert told.run([job("a", action=action), job("b")], keep_going=True).failed == ("a",)
    assert told.failed["a"].code == "internal"
    assert told.failed["a"].__cause__ is raised
    assert told.done.keys() == {"b"}


def test_nothing_is_printed(told: Told, capfd: pytest.CaptureFixture[str]) -> None:
    told.run([job("a", action=fail), job("b", "a"), job("c")], keep_going=True)
    assert capfd.readouterr() == ("", "")


def test_what_jobs_print_is_left_alone(told: Told, capfd: pytest.CaptureFixture[str]) -> None:
    told.run([job("a", action=lambda: Done(print("hello")))])  # noqa: T201 - that is the point
    assert capfd.readouterr().out == "hello\n"


def test_a_callback_that_raises_stops_the_run_and_cancels_what_runs(told: Told) -> None:
    threads = threading.active_count()
    error = StateError("disk-full", "no space left to write state.db")
    recorded: list[str] = []

    def on_done(name: str, _value: object) -> None:
        recorded.append(name)
        raise error

    def slow() -> Outcome:
        assert told.cancelled.wait(10)
        return Done()

    jobs = [job("quick"), job("slow", action=slow, weight=5), job("next", "quick"), job("other", "slow")]
    with pytest.raises(StateError) as caught:
        told.run(jobs, on_done=on_done)
    assert caught.value is error
    assert recorded == ["quick"]
    assert threading.active_count() == threads


def test_a_deep_chain_and_a_wide_fan_are_run_through(told: Told) -> None:
    chain = [job(str(number), str(number + 1)) for number in range(1000)]
    fan = [job(f"f{number}", "0") for number in range(1000)]
    began = time.process_time()
    assert told.run(chain + fan) == ExitSummary()
    assert len(told.done) == 2000
    assert time.process_time() - began < 10  # about .2 s; what doit does by itself is quadratic


def test_the_collector_is_left_as_it_was(told: Told) -> None:
    assert gc.isenabled()
    told.run([job("a")])
    assert gc.isenabled()
    gc.disable()
    try:
        told.run([job("b")])
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_cancels_keeps_what_is_done_and_starts_nothing_new(told: Told, signum: int, code: int) -> None:
    threads = threading.active_count()
    before = signal.getsignal(signum)

    def killed() -> Outcome:
        assert told.cancelled.wait(10)
        return fail()

    def finishing() -> Outcome:
        assert told.cancelled.wait(10)
        return Done("kept")

    def on_done(name: str, value: object) -> None:
        told.on_done(name, value)
        if name == "first":
            signal.raise_signal(signum)

    jobs = [job("first", weight=99), job("killed", action=killed, weight=50), job("kept", action=finishing, weight=49)]
    jobs += [job("never", "first"), job("never2", "kept")]
    with pytest.raises(InterruptedBuildError) as caught:
        told.run(jobs, workers=3, on_done=on_done)
    assert (caught.value.exit_code, caught.value.signum) == (code, signum)
    assert told.done == {"first": None, "kept": "kept"}
    assert told.failed == {}
    assert signal.getsignal(signum) is before
    assert threading.active_count() == threads


def test_a_second_signal_cancels_again(told: Told) -> None:
    def stubborn() -> Outcome:
        deadline = time.monotonic() + 10
        while told.cancels < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        return Done("kept")

    def on_done(name: str, value: object) -> None:
        told.on_done(name, value)
        if name == "first":
            signal.raise_signal(signal.SIGTERM)
            assert told.cancelled.wait(10)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptedBuildError) as caught:
        told.run([job("first"), job("stubborn", action=stubborn)], on_done=on_done)
    assert caught.value.signum == signal.SIGTERM
    assert told.cancels == 2
    assert told.done["stubborn"] == "kept"


def test_a_cancel_that_fails_is_the_interruptions_cause(told: Told) -> None:
    trouble = OSError("no such process group")

    def cancel() -> None:
        raise trouble

    with pytest.raises(InterruptedBuildError) as caught:
        run_jobs(
            [job("a")],
            workers=1,
            keep_going=False,
            on_done=lambda *_: signal.raise_signal(signal.SIGINT),
            on_failed=told.on_failed,
            on_skipped=told.on_skipped,
            cancel=cancel,
        )
    assert caught.value.__cause__ is trouble


def test_an_ignored_signal_stays_ignored(told: Told) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        told.run([job("a", action=lambda: Done(signal.raise_signal(signal.SIGHUP)))])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert told.done.keys() == {"a"}


def test_on_another_thread_jobs_run_without_handlers() -> None:
    seen: list[str] = []
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    def run() -> None:
        run_jobs(
            [job("a"), job("b", "a")],
            workers=2,
            keep_going=False,
            on_done=lambda name, _: seen.append(name),
            on_failed=lambda *_: None,
            on_skipped=lambda *_: None,
            cancel=lambda: None,
        )

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert seen == ["a", "b"]
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
