from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from support.stand_in import StandIn

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import (
    BackendError,
    BuildFailedError,
    BuildFileError,
    InterruptedBuildError,
    RegistryError,
    StateError,
    UsageError,
    ZbuildError,
)
from zbuild.base.span import Span
from zbuild.cli.main import run
from zbuild.cli.session import Session
from zbuild.events.types import BuildFailed, StageFailed

if TYPE_CHECKING:
    from pathlib import Path


def told(error: BaseException, root: Path, capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = run(["list", *argv], Session(find=StandIn(root, error=error).find))
    out, err = capsys.readouterr()
    assert out == ""
    return code, err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ZbuildError("c", "m"), 1),
        (UsageError("c", "m"), 2),
        (BuildFileError([Diagnostic("c", "m")]), 2),
        (BackendError("c", "m"), 3),
        (StateError("c", "m"), 3),
        (RegistryError("c", "m"), 4),
    ],
)
def test_errors_have_their_exit_codes(
    error: ZbuildError, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(error, tmp_path, capsys) == (code, "error[c]: m\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [(InterruptedBuildError(2), 130), (InterruptedBuildError(15), 143), (KeyboardInterrupt(), 130)],
)
def test_interrupts_are_one_line(
    error: BaseException, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(error, tmp_path, capsys) == (code, "zbuild: interrupted\n")


def test_faults_of_zbuild_are_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZBUILD_DEBUG", raising=False)
    code, err = told(KeyError("x"), tmp_path, capsys)
    assert code == 3
    assert err.startswith("error[internal]: KeyError: 'x'\n  hint: ")
    assert "Traceback" not in err


@pytest.mark.parametrize("way", ["option", "environment"])
def test_debug_shows_the_traceback_as_well(
    way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZBUILD_DEBUG", "1" if way == "environment" else "")
    code, err = told(KeyError("x"), tmp_path, capsys, *(["--debug"] if way == "option" else []))
    assert code == 3
    assert "Traceback (most recent call last)" in err
    assert "error[internal]: KeyError: 'x'" in err


def test_the_system_refusing_is_told_with_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/ws/.zbuild")
    assert told(error, tmp_path, capsys) == (3, "error[system]: /ws/.zbuild: Permission denied\n")


def test_a_broken_pipe_that_is_not_stdout_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    assert told(error, tmp_path, capsys) == (3, "error[system]: Broken pipe\n")


def test_a_failed_build_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = StageFailed("api", "run-failed", "exit code 2", ("oops",), "/ws/log", "Dockerfile:3:1", "look there")
    workspace = StandIn(
        tmp_path,
        events=(failed, BuildFailed(1.0, ("api",))),
        error=BuildFailedError("build-failed", "failed: api"),
    )
    assert run(["build", "--progress", "quiet"], Session(find=workspace.find)) == 1
    assert capsys.readouterr().err == (
        "Dockerfile:3:1: error[run-failed]: api: exit code 2\n    oops\n  the whole log: /ws/log\n  hint: look there\n"
    )


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_files_are_named_so_that_they_can_be_opened(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zbuild.yaml").write_text("imges: {}\n")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path if place == "here" else tmp_path / "sub")
    error = BuildFileError([Diagnostic("unknown-key", "unknown key 'imges'", Span("zbuild.yaml", 1, 1))])
    _, err = told(error, tmp_path, capsys)
    name = "zbuild.yaml" if place == "here" else tmp_path / "zbuild.yaml"
    assert err == f"{name}:1:1: error[unknown-key]: unknown key 'imges'\n    1 | imges: {{}}\n      | ^\n"


def test_warnings_of_validate_are_drawn_and_do_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = StandIn(tmp_path, warnings=(Diagnostic("old", "MAINTAINER is old", severity="warning"),))
    assert run(["validate"], Session(find=workspace.find)) == 0
    assert capsys.readouterr() == ("0 images, 1 warning\n", "warning[old]: MAINTAINER is old\n")
