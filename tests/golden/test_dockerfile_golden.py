"""Every folder of tests/golden/dockerfile: a Dockerfile, and the IR or the errors that it gives."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from support.golden import check_golden

from zbuild.base.errors import BuildFileError
from zbuild.frontend.dockerfile.parse import parse_dockerfile

FOLDER = Path(__file__).parent / "dockerfile"
CASES = sorted(path.name for path in FOLDER.iterdir())


def dump(definition):
    """Write a definition down: one line per argument, stage and instruction, without what is left at its default."""
    lines = [] if definition.escape == "\\" else [f"escape {definition.escape}"]
    lines += [f"{place(arg.span)} {show(arg)}" for arg in definition.args]
    for stage in definition.stages:
        lines.append(f"{place(stage.span)} stage {show(stage)}, base at {place(stage.base.span)}")
        lines += [f"  {place(op.span)} {show(op)}" for op in stage.ops]
    return "".join(f"{line}\n" for line in lines)


def place(span):
    return f"{span.line}:{span.column}"


def show(value):
    if not hasattr(value, "__dataclass_fields__"):
        return f"({', '.join(map(show, value))})" if isinstance(value, tuple) else repr(value)
    shown = [
        f"{field.name}={show(getattr(value, field.name))}"
        for field in fields(value)
        if field.name not in ("span", "ops") and getattr(value, field.name) not in (field.default, MISSING)
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def outcome(data):
    try:
        return dump(parse_dockerfile(data, "Dockerfile"))
    except BuildFileError as error:
        return "".join(
            f"{problem.span}: error[{problem.code}]: {problem.message}\n"
            + (f"  hint: {problem.hint}\n" if problem.hint else "")
            for problem in error.diagnostics
        )


@pytest.mark.parametrize("case", CASES)
def test_golden(case):
    folder = FOLDER / case
    check_golden(folder / "expected.txt", outcome((folder / "Dockerfile").read_bytes()))


def test_there_is_a_case_for_every_instruction():
    text = b"".join((FOLDER / case / "Dockerfile").read_bytes() for case in CASES).decode("utf-8", "replace").upper()
    known = "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL"
    assert [word for word in [*known.split(), "USER", "VOLUME", "WORKDIR"] if f"\n{word} " not in text] == []
