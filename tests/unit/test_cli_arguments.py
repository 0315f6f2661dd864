from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.stand_in import StandIn

from zbuild import __version__
from zbuild.api.options import BuildOptions
from zbuild.cli.main import COMMANDS, run
from zbuild.cli.session import Session
from zbuild.model.overlay import Overlay
from zbuild.plan.types import Plan, PlannedStage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def workspace(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


def asked(workspace: StandIn, *argv: str) -> tuple[str, object]:
    assert run(argv, Session(find=workspace.find)) == 0
    return workspace.calls[-1]


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], BuildOptions()),
        (["-j", "4"], BuildOptions(jobs=4)),
        (["-j4", "-k", "-B"], BuildOptions(jobs=4, keep_going=True, always=True)),
        (["--keep-going", "--always-make"], BuildOptions(keep_going=True, always=True)),
        (["--build-arg", "A=1", "--build-arg=B=x=y"], BuildOptions(build_args=(("A", "1"), ("B", "x=y")))),
        (["--build-arg", "EMPTY="], BuildOptions(build_args=(("EMPTY", ""),))),
        (["--target", "builder"], BuildOptions(target="builder")),
        (["--tag", "a:1", "--tag", "b:2"], BuildOptions(tags=("a:1", "b:2"))),
        (["--pull", "never", "--locked"], BuildOptions(pull="never", locked=True)),
        (["--pull=missing"], BuildOptions(pull="missing")),
        (["--pull"], BuildOptions(pull="always")),
        (["--pull", "-k"], BuildOptions(pull="always", keep_going=True)),
        (["--backend", "buildah", "--no-wait"], BuildOptions(backend="buildah", wait=False)),
    ],
)
def test_build_hands_its_options_over(workspace: StandIn, words: list[str], options: BuildOptions) -> None:
    assert asked(workspace, "build", *words) == ("build", ((), options))


def test_targets_are_handed_over_in_order_with_options_between(workspace: StandIn) -> None:
    assert asked(workspace, "build", "web", "-k", "api/builder", "svc-*") == (
        "build",
        (("web", "api/builder", "svc-*"), BuildOptions(keep_going=True)),
    )


def test_a_target_after_a_bare_pull_is_a_target(workspace: StandIn) -> None:
    assert asked(workspace, "build", "--pull", "api") == ("build", (("api",), BuildOptions(pull="always")))
    assert asked(workspace, "build", "--", "--pull") == ("build", (("--pull",), BuildOptions()))


def test_a_bare_build_arg_comes_from_the_environment(workspace: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SET_HERE", "value")
    monkeypatch.delenv("NOT_SET", raising=False)
    _, (_, options) = asked(workspace, "build", "--build-arg", "SET_HERE", "--build-arg", "NOT_SET")
    assert options.build_args == (("SET_HERE", "value"),)


def test_common_options_lead_to_the_workspace(workspace: StandIn, tmp_path: Path) -> None:
    asked(workspace, "list", "-C", str(tmp_path), "-f", "other.yaml", "--set", "A=1", "--set", "B=")
    assert workspace.calls[0] == ("find", (tmp_path, "other.yaml", {"A": "1", "B": ""}, Overlay()))


def test_what_is_laid_over_the_build_files_is_handed_over_in_order(workspace: StandIn) -> None:
    words = ("-f", "a.yaml", "-f", "b.yaml", "-f", "c.yaml", "--profile", "ci", "--profile", "fast")
    asked(workspace, "plan", *words, "--set", "images.api.tags+=x", "--set", "A=1", "--set", "defaults.retries=2")
    overlay = Overlay(("b.yaml", "c.yaml"), ("ci", "fast"), ("images.api.tags+=x", "defaults.retries=2"))
    assert workspace.calls[0][1][1:] == ("a.yaml", {"A": "1"}, overlay)


def test_profiles_come_from_the_environment_when_none_is_named(
    workspace: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZBUILD_PROFILE", "ci, fast,")
    asked(workspace, "list")
    assert workspace.calls[0][1][3] == Overlay(profiles=("ci", "fast"))
    asked(workspace, "list", "--profile", "other")
    assert workspace.calls[2][1][3] == Overlay(profiles=("other",))


@pytest.mark.parametrize("command", ["plan", "explain", "graph"])
def test_questions_take_the_options_that_change_their_answer(workspace: StandIn, command: str) -> None:
    name, (asked_for, options) = asked(workspace, command, "api", "--build-arg", "A=1", "--target", "builder")
    assert (name, options) == (command, BuildOptions(build_args=(("A", "1"),), target="builder"))
    assert asked_for == ("api" if command == "explain" else ("api",))


def test_clean_says_what_went(workspace: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    workspace.removed = ("container zbuild-1", "image 0123")
    assert asked(workspace, "clean", "--all") == ("clean", (BuildOptions(), True))
    assert capsys.readouterr().out == "removed container zbuild-1\nremoved image 0123\n"


def test_clean_with_nothing_to_do_says_so(workspace: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    asked(workspace, "clean")
    assert capsys.readouterr().out == "nothing to remove\n"


@pytest.mark.parametrize("flag", ["-n", "--dry-run"])
def test_a_dry_run_prints_the_plan_and_builds_nothing(
    workspace: StandIn, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.planned = Plan(("api",), (PlannedStage("api", "run", "never built", seconds=2.0),))
    assert asked(workspace, "build", flag, "api")[0] == "plan"
    assert "run     api    2.00 s  never built" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["bild"], "there is no command 'bild'\n  hint: did you mean 'build'?"),
        (["xyzzy"], "there is no command 'xyzzy'\n  hint: see 'zbuild --help'"),
        (["build", "--jbs", "2"], "'--jbs'\n  hint: did you mean '--jobs'?\n  hint: see 'zbuild build --help'"),
        (["build", "-j", "0"], "invalid value for '-j' / '--jobs': 0 is not in the range x>=1"),
        (["build", "--pull=often"], "'often' is not one of 'newer', 'always', 'missing', 'never'"),
        (["lock", "api"], "names say what to update\n  hint: add --update"),
        (["lock", "--check", "--update"], "--check writes nothing"),
        (["build", "--set", "A"], "'A' has no value; write A=VALUE"),
        (["build", "--build-arg", "=x"], "'=x' has no name; write NAME=VALUE"),
        (["explain"], "missing argument 'IMAGE'"),
        (["build", "-C", "/no/such/folder"], "'/no/such/folder' does not exist"),
    ],
)
def test_wrong_usage_is_told_with_a_way_out(
    workspace: StandIn, argv: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(argv, Session(find=workspace.find)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error[usage]: ")
    assert told.lower() in err.lower()


def test_zbuild_alone_shows_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in COMMANDS)
    assert "..." not in out.partition("Commands:")[2], "every summary fits on its line"


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_by_example(name: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, flag]) == 0
    _, _, shown = capsys.readouterr().out.partition("Examples:\n")
    lines = [line for line in shown.splitlines() if line.strip()]
    assert 2 <= len(lines) <= 4
    assert all(line.startswith(f"    zbuild {name}") for line in lines)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"zbuild {__version__}\n"
