"""`--secret` and `--ssh`: docker's forms, and no text of theirs in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.stand_in import StandIn

from zbuild.api.options import BuildOptions
from zbuild.cli.main import run
from zbuild.cli.session import Session
from zbuild.model.secrets import AgentSource, SecretSource

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    (tmp_path / "token").write_text("value")
    (tmp_path / "a,b").write_text("value")
    monkeypatch.setenv("ZB_TOKEN", "value")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return StandIn(tmp_path)


def options(workspace: StandIn, *argv: str) -> BuildOptions:
    assert run(["build", *argv, "-C", str(workspace.root)], Session(find=workspace.find)) == 0
    name, (_, given) = workspace.calls[-1]
    assert name == "build"
    assert isinstance(given, BuildOptions)
    return given


@pytest.mark.parametrize(
    ("text", "name", "env", "file"),
    [
        ("id=a,src=token", "a", "", "token"),
        ("source=token,id=a,type=file", "a", "", "token"),
        ("id=a,env=ZB_TOKEN", "a", "ZB_TOKEN", ""),
        ("type=env,id=a,src=ZB_TOKEN", "a", "ZB_TOKEN", ""),
        ("type=env,id=ZB_TOKEN", "ZB_TOKEN", "ZB_TOKEN", ""),
        ("id=ZB_TOKEN", "ZB_TOKEN", "ZB_TOKEN", ""),
        ("id=token", "token", "", "token"),
        ('id=a,"src=a,b"', "a", "", "a,b"),
    ],
)
def test_a_secret_has_a_name_and_a_place(workspace: StandIn, text: str, name: str, env: str, file: str) -> None:
    source = SecretSource(file=str(workspace.root / file) if file else "", env=env)
    assert options(workspace, "--secret", text).secrets == ((name, source),)


def test_of_two_with_one_name_the_last_counts(workspace: StandIn) -> None:
    given = options(workspace, "--secret", "id=a,src=token", "--secret=id=b,src=token", "--secret", "id=a,env=ZB_TOKEN")
    assert [name for name, _ in given.secrets] == ["a", "b"]
    assert dict(given.secrets)["a"] == SecretSource(env="ZB_TOKEN")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hush-hush", "it is no secret's place"),
        ("hush=hush", "it is no secret's place"),
        ("src=token", "needs a name"),
        ("id=,src=token", "needs a name"),
        ("id=a,type=hush", "the type of the secret 'a' is file or env"),
        ("id=a,src=token,env=ZB_TOKEN", "has both src and env"),
        ("id=a,src=gone", "the secret 'a' is not there"),
        ("id=a,src=.", "is no file"),
        ("id=a,env=ZB_GONE", "the variable ZB_GONE is not set"),
        ("id=nowhere", "the secret 'nowhere' is not there"),
        ("ids=a,src=token", "did you mean 'id'?"),
    ],
)
def test_a_secret_that_is_not_there_is_refused_at_once(
    workspace: StandIn, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    assert run(["build", "-C", str(workspace.root), "--secret", text], Session(find=workspace.find)) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "hush" not in told
    assert workspace.calls == []


def test_agents_are_sockets_or_keys(workspace: StandIn) -> None:
    token, other = str(workspace.root / "token"), str(workspace.root / "a")
    (workspace.root / "a").touch()
    given = options(workspace, "--ssh", "git=token", "--ssh", "two=token,a")
    assert given.agents == (("git", AgentSource((token,))), ("two", AgentSource((token, other))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default", "SSH_AUTH_SOCK is not set"),
        ("git=gone", "there is no"),
        ("git=", "write default"),
        ("=token", "write default"),
    ],
)
def test_an_agent_that_is_not_there_is_refused_at_once(
    workspace: StandIn, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    assert run(["build", "-C", str(workspace.root), "--ssh", text], Session(find=workspace.find)) == 2
    assert message in capsys.readouterr().err
    assert workspace.calls == []
