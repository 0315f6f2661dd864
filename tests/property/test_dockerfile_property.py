from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbuild.base.errors import BuildFileError
from zbuild.frontend.dockerfile.parse import parse_dockerfile
from zbuild.frontend.lint.choices import LintChoices
from zbuild.frontend.lint.lint import lint_dockerfile

KEYWORDS = (
    "FROM ARG ENV RUN COPY ADD WORKDIR USER LABEL EXPOSE CMD ENTRYPOINT VOLUME SHELL HEALTHCHECK STOPSIGNAL ONBUILD"
)
PIECES = [
    *KEYWORDS.split(),
    *("--mount=", "--from=", "--", "type=cache", ",", "target=/a", "--retries=9", "CMD", "NONE", "a", "b=c", "AS", "1"),
    *(" ", " ", " ", "\n", "\n", "\t", "\r\n", "\\\n", "`", "\\", '"', "'", "$", "${", "}", "[", "]", '["a", "b"]'),
    *("#", "# escape=`\n", "<<EOF", "<<-'E'", "EOF\n", "\ufeff", "\0", "é", "\u2028", "\x1c", "한"),
]


def parses_or_is_refused(data):
    try:
        return parse_dockerfile(data, "Dockerfile")
    except BuildFileError as error:
        problems = error.diagnostics
    assert problems
    for problem in problems:
        assert problem.span.file == "Dockerfile"
        assert 1 <= problem.span.line <= data.count(b"\n") + 1
        assert problem.span.column >= 1
        assert len(problem.message) < 300
    return None


@given(st.binary(max_size=300))
def test_any_bytes(data):
    parses_or_is_refused(data)


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_pieces(text):
    definition = parses_or_is_refused(f"FROM a\n{text}".encode())
    assert definition is None or definition.stages


LINT_PIECES = [
    *(
        "FROM",
        "from",
        "As",
        "AS",
        "scratch",
        "alpine:",
        "--platform=",
        "linux/",
        "$TARGETPLATFORM",
        "# a b\n",
        "# check=skip",
    ),
    *(
        "ENV TOKEN=$",
        "ARG ",
        "WORKDIR ${",
        "COPY ",
        "EXPOSE 1:",
        "/TCP",
        "CMD",
        "SHELL",
        ":-",
        "\\\n\n",
        "=",
        "a",
        "B",
        "x$y",
    ),
    *PIECES,
]


@given(st.lists(st.sampled_from(LINT_PIECES), max_size=60).map(" ".join))
def test_lint_takes_what_the_parser_takes(text):
    data = f"{text}\nFROM scratch AS b\n{text}".encode()
    linted = lint_dockerfile(data, "Dockerfile", LintChoices(experimental=frozenset({"all"})))
    lines = data.count(b"\n") + 1
    places = [item.span for item in linted.warnings]
    assert places == sorted(places, key=lambda place: (place.line, place.column))
    assert all(len(item.message) < 300 for item in linted.warnings)
    assert all(place.file == "Dockerfile" and 1 <= place.line <= lines for place in places)
    assert linted.definition is None or linted.definition == parse_dockerfile(data, "Dockerfile")


@given(st.lists(st.text(alphabet="ab \"'\\$=", min_size=1, max_size=12), max_size=6))
def test_a_comment_in_a_continued_line_changes_nothing(parts):
    plain = "FROM a\nRUN x" + "".join(f" \\\n{part}" for part in parts)
    noted = "FROM a\nRUN x" + "".join(f" \\\n  # note\n\n{part}" for part in parts)
    assert parses_or_is_refused(noted.encode()) == parses_or_is_refused(plain.encode())


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.text(alphabet="ab $'\"\\")), min_size=1, max_size=4))
def test_line_ends_do_not_matter(pairs):
    text = "FROM a\n" + "".join(f"ENV {name} {value}\n" for name, value in pairs)
    assert parses_or_is_refused(text.encode()) == parses_or_is_refused(text.replace("\n", "\r\n").encode())


HOSTILE = {
    "many lines": b"FROM a\n" + b"RUN x\n" * 50_000,
    "one instruction of many lines": b"FROM a\nRUN x" + b" \\\n y" * 50_000,
    "one instruction of many comments": b"FROM a\nRUN x \\\n" + b"# y\n" * 100_000,
    "many flags": b"FROM a\nRUN x \\\n" + b" --a\\\n" * 50_000,
    "a flag over many lines": b'FROM a\nRUN --a="' + b"x \\\n" * 100_000,
    "many words": b"FROM a\nENV" + b" a=b" * 16_000,
    "many quotes": b"FROM a\nENV a=" + b"'\"" * 30_000,
    "many escapes": b"FROM a\nENV a=" + b"\\ " * 30_000,
    "many spaces": b"#" + b" " * 60_000 + b"\nFROM a" + b" " * 60_000 + b"AS" + b" " * 5 + b"b",
    "directive of spaces": b"# escape=" + b"a " * 30_000 + b"\nFROM a\n",
    "brackets": b"FROM a\nRUN " + b"[" * 60_000,
    "many heredocs": b"FROM a\nRUN" + b" <<A" * 15_000,
    "heredoc names": b"FROM a\nRUN <<" + b"A\\ " * 20_000,
    "nested substitutions": b"FROM a\nRUN <<" + b"${A:-" * 12_000,
    "mounts": b"FROM a\nRUN --mount=type=cache,target=" + b"/a,target=" * 6_000 + b"/a x",
    "a huge keyword": b"FROM a\n" + b"Q" * 60_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_does_not_stall(name):
    start = process_time()
    parses_or_is_refused(HOSTILE[name])
    lint_dockerfile(HOSTILE[name], "Dockerfile", LintChoices(experimental=frozenset({"all"})))
    assert process_time() - start < 10  # a quadratic reader takes minutes
