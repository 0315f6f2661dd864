from __future__ import annotations

import io

import pytest

from zbuild.report.clean import one_line, printable
from zbuild.report.stream import ProgressStream
from zbuild.report.table import aligned
from zbuild.report.uptodate import up_to_date_text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain text", "plain text"),
        ("\x1b[1;31mred\x1b[0m and \x1b[Kerased", "red and erased"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\a link\x1b]8;;\x1b\\", "a link"),
        ("\x1bPdevice control\x1b\\after", "after"),
        ("\x1b]52;c;never ended", ""),
        ("\x1bcreset \x1b(B charset", "reset  charset"),
        ("\x9b2Jc1", "c1"),
        ("10 %\r50 %\r100 %", "100 %"),
        ("with dos ending\r\n", "with dos ending"),
        ("a\tb", "a       b"),
        ("bell\x07 back\x08 null\x00 delete\x7f", "bell? back? null? delete?"),
        ("right\u202eleft", "right?left"),
        ("bytes \udcff", "bytes ?"),
        ("日本語 é", "日本語 é"),
        ("a lone \x1b", "a lone ?"),
    ],
)
def test_output_cannot_touch_the_terminal(line: str, shown: str) -> None:
    assert printable(line) == shown


def test_what_the_terminal_cannot_show_is_replaced() -> None:
    assert printable("日本語 é", "ascii") == "??? ?"
    assert printable("é", "latin-1") == "é"


def test_endless_lines_are_cut() -> None:
    assert len(printable("x" * 10**6)) == 4000


@pytest.mark.parametrize(
    ("text", "shown"), [("RUN make", "RUN make"), ("\nRUN a \\\n  b\n", "RUN a ..."), ("", ""), ("a\n\n", "a")]
)
def test_instructions_are_shown_on_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


@pytest.mark.parametrize(
    ("images", "text"),
    [(10, "zbuild: 10 images up to date (0.07 s)"), (1, "zbuild: 1 image up to date (0.07 s)")],
)
def test_up_to_date(images: int, text: str) -> None:
    assert up_to_date_text(images, 0.07) == text


def test_columns_are_aligned_and_lines_end_bare() -> None:
    assert aligned([("a", "10", ""), ("long", "5", "x")], right={1}) == ["a     10", "long   5  x"]


class _Broken(io.StringIO):
    writes = 0

    def write(self, _text: str) -> int:
        self.writes += 1
        raise BrokenPipeError


def test_a_reader_that_is_gone_ends_the_telling_not_the_build() -> None:
    broken = _Broken()
    stream = ProgressStream(broken)
    stream.lines(["one"])
    stream.lines(["two"])
    assert broken.writes == 1


def test_a_narrow_encoding_gets_replacements() -> None:
    raw = io.BytesIO()
    text = io.TextIOWrapper(raw, encoding="ascii")
    ProgressStream(text).lines(["naïve 日"])
    assert raw.getvalue() == b"na?ve ?\n"
