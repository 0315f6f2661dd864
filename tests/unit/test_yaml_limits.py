"""Faulty files of any size are refused in time that grows with their size, not with its square."""

from __future__ import annotations

import time

import pytest

from zbuild.base.diagnostic import MAX_PROBLEMS
from zbuild.base.errors import BuildFileError
from zbuild.frontend.load import load_project
from zbuild.frontend.zimagefile import parse_zimagefile

_COUNT = 5_000
_SECONDS = 20  # of this process; the squares that are meant would take hours


def _refused(read) -> BuildFileError:
    began = time.process_time()
    with pytest.raises(BuildFileError) as caught:
        read()
    assert time.process_time() - began < _SECONDS
    assert len(caught.value.diagnostics) <= MAX_PROBLEMS + 1
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "base: a\n" + "".join(f"key{i}: x\n" for i in range(_COUNT)),
        "base: a\nsteps:\n" + "- {run: x, to: y}\n" * _COUNT,
        "base: a\nsteps:\n" + "- {ran: x}\n" * _COUNT,
        "args:\n" + "".join(f"  A{i}: x\n" for i in range(_COUNT)) + "stages:\n"
        + "".join(f"  s{i}: {{base: x}}\n" for i in range(_COUNT)),
        "stages:\n" + "".join(f"  s{i}: {{base: s{i + 1}}}\n" for i in range(_COUNT)),
    ],
    ids=["unknown keys", "misplaced keys", "misspelt steps", "stages times arguments", "stages in the wrong order"],
)  # fmt: skip
def test_a_zimagefile_of_faults_is_refused(text):
    _refused(lambda: parse_zimagefile(text.encode(), file="ZImagefile", folder="."))


@pytest.mark.parametrize(
    "text",
    [
        "images:\n" + "".join(f"  image{i}: {{depends_on: [imege{i}]}}\n" for i in range(_COUNT)),
        "images:\n" + "".join(f"  image{i}: {{tags: ['${{VRA{i}}}']}}\n" for i in range(_COUNT))
        + "vars:\n" + "".join(f"  VAR{i}: x\n" for i in range(_COUNT)),
        "images: {a: {}}\ngroups:\n" + "".join(f"  group{i}: [gruop{i}]\n" for i in range(_COUNT)),
        "images: {a: {}}\ngroups:\n" + "".join(f"  g{i}: [g{i + 1}, g0]\n" for i in range(_COUNT)),
    ],
    ids=["unknown images", "unknown variables", "unknown members", "cycles of groups"],
)  # fmt: skip
def test_a_workspace_of_faults_is_refused(text, tmp_path):
    (tmp_path / "zbuild.yaml").write_text(text, encoding="utf-8")
    _refused(lambda: load_project(tmp_path))


def test_that_there_are_more_problems_is_told():
    error = _refused(
        lambda: parse_zimagefile(b"base: a\nsteps:\n" + b"- {run: x, to: y}\n" * 200, file="f", folder=".")
    )
    assert [item.code for item in error.diagnostics[-2:]] == ["misplaced-key", "too-many-problems"]
    assert str(error.diagnostics[-1].span) == f"f:{MAX_PROBLEMS + 3}:12"
