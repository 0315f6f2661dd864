"""What is made of servers' answers, how git is called, and what is kept."""

from __future__ import annotations

import os
from email.message import Message
from typing import TYPE_CHECKING

import pytest

from zbuild.base.errors import RegistryError
from zbuild.fetch import git_commands
from zbuild.fetch.checkouts import _chosen
from zbuild.fetch.http import _fresh_until, _unix_time
from zbuild.fetch.store import FetchedStore
from zbuild.model.remote import GitOrigin
from zbuild.state.folder import StateFolder

if TYPE_CHECKING:
    from pathlib import Path

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
LISTING = """\
1111\trefs/heads/v1
2222\trefs/heads/old/v1
3333\trefs/tags/v1
4444\trefs/tags/v1^{}
5555\trefs/tags/v2
6666\trefs/pull/1/head
"""


@pytest.mark.parametrize(
    ("ref", "name", "commit"),
    [
        ("v1", "refs/heads/v1", "1111"),
        ("old/v1", "refs/heads/old/v1", "2222"),
        ("tags/v1", "refs/tags/v1", "4444"),
        ("refs/tags/v1", "refs/tags/v1", "4444"),
        ("v2", "refs/tags/v2", "5555"),
        ("pull/1/head", "refs/pull/1/head", "6666"),
    ],
)
def test_what_a_reference_means(ref: str, name: str, commit: str) -> None:
    assert _chosen(GitOrigin("git://h.test/r", ref), LISTING)[:2] == (name, commit)


def test_the_default_branch_and_the_ids_of_a_tag() -> None:
    assert _chosen(GitOrigin("git://h.test/r"), "7777\tHEAD\n8888\trefs/remotes/origin/HEAD\n")[:2] == ("HEAD", "7777")
    assert _chosen(GitOrigin("git://h.test/r", "tags/v1"), LISTING)[2] == {"3333", "4444"}
    with pytest.raises(RegistryError, match="no branch or tag 'main'"):
        _chosen(GitOrigin("git://h.test/r", "main"), LISTING)


@pytest.mark.parametrize(
    ("cache_control", "age", "left"),
    [
        ("max-age=60", "", 60),
        ("Public, Max-Age=60", "20", 40),
        ('max-age="60"', "", 60),
        ("max-age=60", "60", 0),
        ("max-age=60, no-cache", "", 0),
        ("max-age=-1", "", 0),
        ("", "", 0),
    ],
)
def test_how_long_an_answer_holds(cache_control: str, age: str, left: int) -> None:
    headers = Message()
    headers["Cache-Control"] = cache_control
    headers["Age"] = age
    assert _fresh_until(headers, 1000.0) == (1000.0 + left if left else 0.0)


@pytest.mark.parametrize("text", ["", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "Wed, 31 Dec 1969 23:00:00 GMT"])
def test_odd_times_are_the_epoch(text: str) -> None:
    assert _unix_time(text) == 0.0


def test_git_is_given_credentials_by_its_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    origin = GitOrigin("https://h.test/team/r.git", "main", credentials="me:hush")
    command = git_commands.list_remote(origin)
    assert "hush" not in str(command) + " ".join(command.argv)
    env = dict(command.env)
    numbers = range(2, int(env["GIT_CONFIG_COUNT"]))
    settings = {env[f"GIT_CONFIG_KEY_{number}"]: env[f"GIT_CONFIG_VALUE_{number}"] for number in numbers}
    assert settings["http.https://h.test/.extraHeader"] == "Authorization: Basic bWU6aHVzaA=="
    assert (settings["core.hooksPath"], env["GIT_TERMINAL_PROMPT"]) == ("/dev/null", "0")
    assert {"bWU6aHVzaA==", "hush"} <= set(command.redact)
    assert not [name for name in dict(git_commands.init("/x").env).values() if "hush" in name]


def test_a_note_that_is_damaged_is_none(tmp_path: Path) -> None:
    store = FetchedStore(tmp_path / "fetched")
    assert store.note("https://h.test/x") == {}
    store.keep_note({"digest": EMPTY}, "https://h.test/x")
    assert store.note("https://h.test/x") == {"digest": EMPTY}
    (note,) = (tmp_path / "fetched").glob("*.json")
    for text in ("", "[1]", '{"digest": 1}', "{"):
        note.write_text(text)
        assert store.note("https://h.test/x") == {}


def test_a_content_is_there_under_each_name_it_is_asked_for(tmp_path: Path) -> None:
    store = FetchedStore(tmp_path / "fetched")
    assert not store.has_file(EMPTY)
    with store.temporary() as path:
        path.write_bytes(b"")
        store.keep_file(path, EMPTY, "a", 1000.0)
    for name in ("a", "b c"):
        folder = store.file(EMPTY, name)
        assert folder is not None
        assert (folder / name).stat().st_mtime == 1000.0
    (folder / "a").write_text("not empty")  # the other name is the same file
    assert store.file(EMPTY, "a") is None
    assert not store.has_file(EMPTY)


def test_what_was_not_used_for_long_goes_and_what_was_stays(tmp_path: Path) -> None:
    store = FetchedStore(tmp_path)
    for name in ("sha256-old", "sha256-new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("x")
    (tmp_path / "old.json").write_text("{}")
    for old in ("sha256-old", "old.json"):
        os.utime(tmp_path / old, (0, 0))
    store.drop_unused()
    assert [path.name for path in tmp_path.iterdir()] == ["sha256-new"]


def test_what_a_killed_run_was_fetching_is_swept(tmp_path: Path) -> None:
    state = StateFolder.open(tmp_path)
    left = [state.fetched / f".fetch.{pid}-1-1.tmp" for pid in (2**22 + 1, os.getpid())]
    for folder in left:
        (folder / "tree").mkdir(parents=True)
    state.sweep()
    assert [folder.exists() for folder in left] == [False, True]
