"""`zbuild parse`: where the file comes from, and what is told when it cannot be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from zbuild.cli.main import run, zbuild
from zbuild.cli.session import Session

if TYPE_CHECKING:
    from pathlib import Path


def parse(folder: Path, *arguments: str) -> int:
    return run(["parse", *arguments], Session(directory=folder))


def test_no_workspace_is_needed_and_nested_builds_may_lead_anywhere(tmp_path: Path, capsys) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/ZImagefile").write_text("build: ../../b\n")
    assert parse(tmp_path, "a/ZImagefile", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["stages"][0]["build"]["context"] == "../../b"
    assert not (tmp_path / ".zbuild").exists()


def test_stdin_is_a_dockerfile() -> None:
    done = CliRunner().invoke(zbuild, ["parse", "-", "--build-arg", "T=2"], input="ARG T\nFROM a:$T\n", obj=Session())
    assert done.output == "        1 ARG T=2\n        2 stage 0: a:2\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"FROM a\nRUM x\n", "Dockerfile:2:1: error[unknown-instruction]"),
        (b"x" * (5 << 20), "error[too-large]"),
        (None, "error[no-build-file]"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, capsys, text: bytes | None, told: str) -> None:
    if text is not None:
        (tmp_path / "Dockerfile").write_bytes(text)
    assert parse(tmp_path, "Dockerfile") == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "told", "shown"),
    [
        ("FROM a\nENV A=${B\n", "2:1: warning[bad-word]: missing '}'", "ENV A=${B"),
        ("ARG A=${B\nFROM a:$A\n", "1:1: warning[bad-word]: missing '}'", "stage 0: a:$A"),
        ("FROM ${A?} AS b\nFROM ${A?}\n", "1:6: warning[bad-word]: A: is not allowed", "stage 1: ${A?}"),
        ('FROM a\nCOPY x y" /\n', "2:1: warning[bad-word]: missing the closing double", 'COPY x y" /'),
    ],
)
def test_words_that_no_build_could_expand_stay_as_they_are(tmp_path: Path, capsys, text, told, shown) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    assert parse(tmp_path, "Dockerfile") == 0
    printed = capsys.readouterr()
    assert f"Dockerfile:{told}" in printed.err
    assert shown in printed.out
    assert parse(tmp_path, "Dockerfile", "--raw") == 0
    assert shown in capsys.readouterr().out
