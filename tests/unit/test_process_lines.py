"""How output becomes lines."""

from __future__ import annotations

import pytest

from zbuild.backend.buildah.run_output import RunOutput
from zbuild.backend.lines import LINE_LIMIT, TAIL_LINES, LineStream


def lines_of(*chunks: bytes) -> list[str]:
    told: list[str] = []
    stream = LineStream("stdout", lambda _, line: told.append(line))
    for chunk in (*chunks, b""):
        stream.feed(chunk)
    return told


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ((b"a\nb\n",), ["a", "b"]),
        ((b"a", b"b\nc"), ["ab", "c"]),
        ((b"\n\nx\r\n",), ["", "", "x"]),
        ((b"\xff\xfe\n",), ["\ufffd\ufffd"]),
        ((), []),
    ],
)
def test_lines(chunks: tuple[bytes, ...], lines: list[str]) -> None:
    assert lines_of(*chunks) == lines


def test_line_without_end_comes_in_pieces() -> None:
    told = lines_of(*[b"x" * 1000] * 20)
    assert [len(line) for line in told] == [LINE_LIMIT, LINE_LIMIT, 20_000 - 2 * LINE_LIMIT]
    assert lines_of(b"x" * (LINE_LIMIT + 1) + b"\n") == ["x" * LINE_LIMIT, "x"]


def test_tail_and_text_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zbuild.backend.lines.OUTPUT_LIMIT", 10)
    stream = LineStream("stderr")
    for number in range(200):
        stream.feed(b"%d\n" % number)
    assert stream.text() == "0\n1\n2\n3\n4\n"
    assert len(stream.tail) == TAIL_LINES
    assert stream.tail[-1] == "199"


def test_buildahs_own_last_words_are_left_out() -> None:
    told: list[tuple[str, str]] = []
    output = RunOutput(lambda stream, line: told.append((stream, line)))
    output.line("stderr", "Error: exit status 2")  # a line of the command's own: more follows
    output.line("stderr", "make failed")
    output.line("stderr", "subprocess exited with status 2")
    output.line("stdout", "late")
    output.line("stderr", "Error: while running runtime: exit status 2")
    assert told == [("stderr", "Error: exit status 2"), ("stderr", "make failed"), ("stdout", "late")]
    assert output.exited


def test_buildahs_own_fault_is_no_exit() -> None:
    output = RunOutput(lambda _stream, _line: None)
    output.line("stderr", "Error: container not known")
    assert not output.exited
