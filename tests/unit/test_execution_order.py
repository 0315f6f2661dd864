from __future__ import annotations

import pytest

from zbuild.execution.order import JobGraph
from zbuild.execution.outcome import Done, Job


def job(name: str, *after: str, weight: float = 1.0) -> Job:
    return Job(name, after, weight, Done)


def test_the_longest_remaining_path_comes_first() -> None:
    jobs = [job("short"), job("end", "middle", weight=5), job("middle", "begin"), job("begin"), job("long", weight=6.5)]
    assert JobGraph(jobs).longest_first() == ("begin", "long", "middle", "end", "short")


def test_what_is_needed_comes_first_whatever_the_weights() -> None:
    for weight in (0.0, -3.0, 1e-300):
        jobs = [job(str(number), str(number + 1), weight=weight) for number in range(50)]
        assert JobGraph(jobs).longest_first() == tuple(str(number) for number in reversed(range(50)))


def test_names_that_are_no_jobs_count_as_done() -> None:
    graph = JobGraph([job("a", "gone", "b", "b"), job("b")])
    assert graph.needs == {"a": ("b",), "b": ()}
    assert graph.longest_first() == ("b", "a")


def test_everything_behind_a_job_is_found_once() -> None:
    graph = JobGraph([job("a"), job("b", "a"), job("c", "a"), job("d", "b", "c"), job("e"), job("f", "d")])
    assert graph.behind("a") == ("b", "c", "d", "f")
    assert graph.behind("f") == ()


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ([job("a"), job("a")], "same name"),
        ([job("a", "a")], "wait for each other"),
        ([job("a", "b"), job("b", "c"), job("c", "a"), job("d")], "wait for each other"),
    ],
)
def test_what_cannot_be_ordered_is_refused(jobs: list[Job], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JobGraph(jobs).longest_first()
