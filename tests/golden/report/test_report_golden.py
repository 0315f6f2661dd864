"""What the displays write, next to the files that hold it. UPDATE_GOLDEN=1 writes the files anew: read the diff."""

from __future__ import annotations

import io
import os
from itertools import count
from pathlib import Path

import pytest
from support.script import FAILURE, NOTHING, SUCCESS

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import BuildFileError
from zbuild.base.span import Span
from zbuild.cli.draw import error_lines
from zbuild.report.jsonl import JsonReport
from zbuild.report.palette import Palette
from zbuild.report.plain import PlainReport
from zbuild.report.quiet import QuietReport
from zbuild.report.summary import summary_lines
from zbuild.report.tally import Tally

HERE = Path(__file__).parent
SCRIPTS = {"success": SUCCESS, "failure": FAILURE, "nothing": NOTHING}


def compare(name: str, text: str) -> None:
    path = HERE / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def tally() -> Tally:
    ticks = count()
    return Tally(clock=lambda: next(ticks) / 4)


@pytest.mark.parametrize("name", SCRIPTS)
def test_plain(name: str) -> None:
    out = io.StringIO()
    report = PlainReport(out, tally())
    for event in SCRIPTS[name]:
        report(event)
    compare(f"plain-{name}.txt", out.getvalue())


@pytest.mark.parametrize("name", SCRIPTS)
def test_json(name: str) -> None:
    out = io.StringIO()
    ticks = count()
    report = JsonReport(out, lambda: next(ticks) / 4)
    for event in SCRIPTS[name]:
        report(event)
    compare(f"json-{name}.txt", out.getvalue())


@pytest.mark.parametrize("name", SCRIPTS)
def test_quiet(name: str) -> None:
    out = io.StringIO()
    report = QuietReport(out, Palette())
    for event in SCRIPTS[name]:
        report(event)
    compare(f"quiet-{name}.txt", out.getvalue())


def test_summary_in_colours() -> None:
    state = tally()
    for event in FAILURE:
        state.take(event)
    lines = "\n".join(summary_lines(state, Palette(enabled=True)))
    compare("summary-colours.txt", lines.replace("\x1b", "\\e") + "\n")


def test_build_file_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = 'vars:\n\tindented: yes\n日本: "wide", imges: {}\nlong: ' + "x" * 300 + " here\ncontrols: \x1b[2J here\n"
    (tmp_path / "zbuild.yaml").write_text(text, encoding="utf-8")
    error = BuildFileError(
        [
            Diagnostic("yaml-tab", "tabs cannot indent", Span("zbuild.yaml", 2, 2), "use spaces"),
            Diagnostic("unknown-key", "unknown key 'imges'", Span("zbuild.yaml", 3, 13), "did you mean 'images'?"),
            Diagnostic("too-long", "a far column", Span("zbuild.yaml", 4, 308)),
            Diagnostic("controls", "an escape\x1b[2J sequence", Span("zbuild.yaml", 5, 17)),
            Diagnostic("past-the-end", "the file ends too early", Span("zbuild.yaml", 99, 1)),
            Diagnostic("no-file", "there is no such file", Span("gone/Dockerfile", 1, 1)),
            Diagnostic("whole-file", "empty", Span("zbuild.yaml", 0)),
            Diagnostic("cycle", "a cycle:\na needs b\nb needs a", hint="break it\nanywhere"),
        ]
    )
    compare("build-file-errors.txt", "\n".join(error_lines(error, tmp_path, Palette())) + "\n")
