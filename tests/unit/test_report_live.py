from __future__ import annotations

import io

import pytest
from support.script import FAILURE, NOTHING, SUCCESS

from zbuild.events.types import BuildStarted, InstructionStarted, Output, StageStarted
from zbuild.report.live import region_lines
from zbuild.report.palette import Palette, palette_for
from zbuild.report.plain import PlainReport
from zbuild.report.select import open_report
from zbuild.report.tally import Tally
from zbuild.report.tty import TtyReport


def running(stages: int, text: str = "RUN make") -> Tally:
    tally = Tally(clock=lambda: 5.0)
    tally.take(BuildStarted(("a",), run=stages, cached=7))
    for number in range(stages):
        name = f"image{number}"
        tally.take(StageStarted(name, "changed", 3))
        tally.take(InstructionStarted(name, 2, text))
        for line in range(4):
            tally.take(Output(name, f"line {line}"))
    return tally


def shown(tally: Tally, width: int, height: int, encoding: str = "utf-8") -> list[str]:
    return [line.plain.rstrip() for line in region_lines(tally, 61.0, width, height, encoding)]


def test_a_stage_shows_where_it_is_and_what_it_says() -> None:
    assert shown(running(1), 50, 24) == [
        "image0  2/3 RUN make                        0.0 s",
        "    line 1",
        "    line 2",
        "    line 3",
        "7/8 stages, 7 cached                   1 min 01 s",
    ]


@pytest.mark.parametrize(
    "text", ["RUN make", "RUN " + "x" * 500, "RUN echo 日本語日本語日本語日本語", "RUN \x1b[2J\x07"]
)
@pytest.mark.parametrize("stages", [1, 3, 12, 100])
@pytest.mark.parametrize("height", [1, 2, 5, 24])
@pytest.mark.parametrize("width", [1, 10, 30, 80])
def test_it_never_outgrows_the_terminal(width: int, height: int, stages: int, text: str) -> None:
    lines = region_lines(running(stages, text), 61.0, width, height)
    assert all(line.cell_len < max(width, 2) for line in lines)
    assert len(lines) <= max(height - 1, 2)


def test_a_low_terminal_says_how_many_it_hides() -> None:
    assert shown(running(12), 40, 7)[-2:] == ["and 8 more", "7/19 stages, 7 cached        1 min 01 s"]


def test_an_ascii_terminal_gets_ascii() -> None:
    assert all(line.isascii() for line in shown(running(2, "RUN echo é"), 60, 24, "ascii"))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("script", [SUCCESS, FAILURE, NOTHING])
def test_a_display_that_is_closed_twice_leaves_the_terminal_as_it_was(script: tuple[object, ...]) -> None:
    terminal = _Terminal()
    report = TtyReport(terminal, Palette())
    for event in script:
        report(event)
    report.close()
    report.close()
    assert terminal.getvalue().count("\x1b[?25l") == terminal.getvalue().count("\x1b[?25h")


def test_an_interrupted_display_gives_the_cursor_back() -> None:
    terminal = _Terminal()
    report = TtyReport(terminal, Palette())
    for event in SUCCESS[:8]:
        report(event)
    report.close()
    assert terminal.getvalue().rfind("\x1b[?25h") > terminal.getvalue().rfind("\x1b[?25l") >= 0


def test_nothing_to_do_is_one_line_on_a_terminal_too() -> None:
    terminal = _Terminal()
    report = TtyReport(terminal, Palette(enabled=True))
    for event in NOTHING:
        report(event)
    assert terminal.getvalue() == "zbuild: 2 images up to date (0.07 s)\n"


def test_auto_is_by_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(open_report("auto", _Terminal()), TtyReport)
    assert isinstance(open_report("auto", io.StringIO()), PlainReport)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_report("auto", _Terminal()), PlainReport)


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert palette_for(_Terminal()).enabled
    assert not palette_for(io.StringIO()).enabled
    assert not palette_for(None).enabled
    monkeypatch.setenv("NO_COLOR", "1")
    assert not palette_for(_Terminal()).enabled
