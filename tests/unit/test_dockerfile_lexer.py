from __future__ import annotations

import pytest

from zbuild.base.diagnostic import Diagnostics
from zbuild.base.errors import BuildFileError
from zbuild.base.span import Span
from zbuild.frontend.dockerfile.lexer import MAX_LINE, Lexer
from zbuild.frontend.dockerfile.parse import MAX_PROBLEMS, parse_dockerfile
from zbuild.frontend.dockerfile.statement import Heredoc, Origins


def read(text):
    problems = Diagnostics()
    lexer = Lexer(text if isinstance(text, bytes) else text.encode(), "Dockerfile", problems)
    statements = list(lexer.statements())
    return statements, [(item.span.line, item.code) for item in problems.items]


def test_statements_know_where_their_parts_stand():
    (statement,), problems = read("\n  run \\\n   # note\n --mount=x \\\n\t --network=y\\\n echo\n")
    assert problems == []
    assert (statement.keyword, statement.written, statement.arguments) == ("RUN", "run", "echo")
    assert statement.span == Span("Dockerfile", 2, 3)
    assert [flag.span for flag in statement.flags] == [Span("Dockerfile", 4, 2), Span("Dockerfile", 5, 3)]
    assert statement.arguments_span == Span("Dockerfile", 6, 2)


def test_origins_find_the_piece_of_an_offset():
    origins = Origins((0, 3, 3, 8), tuple(Span("f", line) for line in (1, 2, 4, 5)))
    assert origins.place(2) == Span("f", 1, 3)
    assert origins.place(3) == Span("f", 4, 1)
    assert origins.place(20) == Span("f", 5, 13)


def test_heredocs_carry_their_content():
    (statement, after), problems = read("COPY <<A <<-'B' /x\none $HOME\r\nA\n\ttwo\n\t\tB \n\tB\nENV A=1\n")
    assert problems == []
    assert statement.heredocs == (
        Heredoc("A", expand=True, chomp=False, content="one $HOME\r\n"),
        Heredoc("B", expand=False, chomp=True, content="\ttwo\n\t\tB \n"),
    )
    assert after.keyword == "ENV"


@pytest.mark.parametrize(
    "line",
    [
        'RUN ["cat", "<<EOF"]',
        "RUN [1, <<EOF]".replace("<<EOF", '"<<EOF"'),
        "RUN echo '<<EOF",
        "RUN cat <<<EOF",
        "RUN a<<EOF",
        "RUN cat '<<EOF' ${",
        "CMD cat <<EOF",
        "ONBUILD CMD cat <<EOF",
        "RUN cat <<''",
        "RUN echo ${x:-<<EOF}",
    ],
)
def test_no_heredoc(line):
    statements, problems = read(f"{line}\nENV A=1\n")
    assert [statement.heredocs for statement in statements] == [(), ()]
    assert problems == []


@pytest.mark.parametrize(
    "line", ["RUN cat <<EOF", "RUN 3<<-EOF cat", "RUN cat <<E'O'F", "ONBUILD RUN <<EOF", "add <<EOF /x"]
)
def test_heredoc(line):
    statements, problems = read(f"{line}\nBODY\nEOF\nENV A=1\n")
    assert [heredoc.name for heredoc in statements[0].heredocs] == ["EOF"]
    assert len(statements) == 2
    assert problems == []


def test_a_line_has_a_longest_length():
    ok = b"RUN " + b"x" * (MAX_LINE - 4)
    statements, problems = read(b"FROM a\n" + ok + b"\r\n" + ok + b"y\nENV A=1\n")
    assert [statement.keyword for statement in statements] == ["FROM", "RUN", "ENV"]
    assert problems == [(3, "line-too-long")]
    assert read("RUN " + "é" * (MAX_LINE // 2))[1] == [(1, "line-too-long")]


def test_reading_stops_after_many_problems():
    with pytest.raises(BuildFileError) as caught:
        parse_dockerfile(b"WHAT is this\n" * 5000, "Dockerfile")
    codes = [problem.code for problem in caught.value.diagnostics]
    assert codes == ["unknown-instruction"] * MAX_PROBLEMS + ["too-many-problems"]


def test_spans_name_the_file_as_given():
    definition = parse_dockerfile(b"FROM a\n", "services/api/Dockerfile")
    assert definition.file == "services/api/Dockerfile"
    assert str(definition.stages[0].span) == "services/api/Dockerfile:1:1"


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("RUN a", [1]),
        ("RUN a\n", [1]),
        ("RUN a \\\n  # note\n\n  b\nENV A=1\n", [4, 5]),
        ("RUN a \\\n# note\n", [2]),
        ("RUN <<A <<B\n1\nA\n2\nB\nUSER u\r\n", [5, 6]),
    ],
)
def test_a_statement_knows_its_last_line(text, ends):
    statements, _ = read(text)
    assert [statement.span.last_line for statement in statements] == ends
