from __future__ import annotations

from zbuild.events.types import (
    BuildFinished,
    BuildStarted,
    InstructionStarted,
    Output,
    StageFailed,
    StageFinished,
    StageRetried,
    StageStarted,
)
from zbuild.report.palette import Palette
from zbuild.report.summary import summary_lines
from zbuild.report.tally import Tally


def tally(*events: object) -> Tally:
    made = Tally(clock=lambda: 0.0)
    for event in events:
        made.take(event)
    return made


def test_what_the_plan_knew_is_no_news_and_a_cutoff_is() -> None:
    made = tally(BuildStarted(("a",), run=1, cached=1, maybe=1))
    assert not made.take(StageFinished("base", "cached", 0.0, "up to date"))
    assert made.take(StageStarted("a/builder", "changed", 1))
    assert made.take(StageFinished("a/builder", "run", 1.0))
    assert made.take(StageFinished("a", "cached", 0.0, "came out equal"))
    assert (made.done, made.total, made.cached) == (3, 3, 2)
    assert [(stage.stage, stage.result, stage.why) for stage in made.ended] == [
        ("a/builder", "built", "changed"),
        ("a", "cached", "came out equal"),
    ]


def test_a_running_stage_shows_the_last_lines_of_its_instruction() -> None:
    lines = [Output("a", f"line {number}") for number in range(5)]
    made = tally(BuildStarted(("a",), 1, 0), StageStarted("a", "", 2), InstructionStarted("a", 1, "RUN x"), *lines)
    assert list(made.running["a"].lines) == ["line 2", "line 3", "line 4"]
    made.take(StageRetried("a", 1, 2, "exit code 1"))
    assert list(made.running["a"].lines) == []
    made.take(Output("a", "again"))
    made.take(InstructionStarted("a", 2, "RUN y"))
    assert (made.running["a"].index, made.running["a"].text, list(made.running["a"].lines)) == (2, "RUN y", [])


def test_events_of_unknown_stages_do_no_harm() -> None:
    made = tally(Output("x", "y"), InstructionStarted("x", 1, "RUN"), StageRetried("x", 1, 1, ""))
    made.take(StageFinished("x", "run", 1.0))
    made.take(StageFailed("z", "c", "m"))
    assert [stage.result for stage in made.ended] == ["built", "failed"]


def test_planning_again_counts_nothing_twice() -> None:
    made = tally(
        BuildStarted(("a",), run=2, cached=0),
        StageStarted("base", "", 1),
        StageFinished("base", "run", 1.0),
        StageStarted("a", "", 1),
        BuildStarted(("a",), run=1, cached=1),
        StageFinished("base", "cached", 0.0, "up to date"),
        StageStarted("a", "", 1),
        StageFinished("a", "run", 1.0),
        BuildFinished(2.0, 1, 1),
    )
    assert (made.done, made.total, made.cached, made.count("built")) == (2, 2, 0, 2)


def test_of_many_stages_the_slowest_and_the_failed_are_listed() -> None:
    made = tally(
        BuildStarted(("a",), run=100, cached=0),
        *(StageFinished(f"s{number}", "run", float(number)) for number in range(99)),
        StageFailed("bad", "c", "m"),
        BuildFinished(9.0, 99, 0),
    )
    lines = summary_lines(made, Palette())
    assert "and 60 more, which were faster" in lines
    assert any(line.startswith("bad") for line in lines)
    assert any(line.startswith("s98 ") for line in lines)
    assert not any(line.startswith("s5 ") for line in lines)


def test_a_build_still_going_has_no_summary() -> None:
    assert summary_lines(tally(BuildStarted(("a",), 1, 0)), Palette()) == []
