"""Where secrets are found, what of them is hidden, and that they lie in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from zbuild.backend.lines import LINE_LIMIT
from zbuild.backend.memory import is_in_memory, leftovers, memory_folder
from zbuild.backend.secrets import LIMIT, Redaction, missing_agent, missing_secret, parts_to_hide, read_secret
from zbuild.model.secrets import AgentSource, SecretSource

if TYPE_CHECKING:
    from pathlib import Path


def hidden(value: bytes, text: str) -> str:
    redaction = Redaction()
    redaction.add(parts_to_hide(value))
    return redaction.hide(text)


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        (b"hush\n", "a hush b hush", "a *** b ***"),
        (b"x", "axb", "a***b"),
        (b"  padded  \r\n", "[padded]", "[***]"),
        (b"{\n  token: abcd\n}\n", "token: abcd {", "*** {"),
        (b"one-line\nnext-line", "one-line", "***"),
        (b"", "nothing", "nothing"),
        (b"\n\n", "nothing", "nothing"),
        ("schl\u00fcssel".encode(), "ein schl\u00fcssel", "ein ***"),
        (b"\xff\xfe", "\ufffd\ufffd", "***"),
        (b"a.c+", "abcc a.c+", "abcc ***"),
    ],
)
def test_what_shows_a_secret_is_hidden(value: bytes, text: str, shown: str) -> None:
    assert hidden(value, text) == shown


def test_the_longest_of_several_secrets_is_hidden_first() -> None:
    redaction = Redaction()
    redaction.add(["pass"])
    redaction.add(["password"])
    assert redaction.hide("password pass") == "*** ***"


def test_a_secret_that_is_told_in_pieces_is_hidden_in_each() -> None:
    value = "".join(f"{number:08}" for number in range(LINE_LIMIT // 4))
    pieces = [value[start : start + LINE_LIMIT] for start in range(0, len(value), LINE_LIMIT)]
    assert [hidden(value.encode(), piece).strip("*") for piece in pieces] == ["", ""]


def test_a_secret_is_found_or_it_is_said_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    assert missing_secret(SecretSource(file=str(file))).endswith("No such file or directory")
    assert read_secret(SecretSource(file=str(file))) is None
    file.write_bytes(b"\0value")
    assert missing_secret(SecretSource(file=str(file))) == ""
    assert read_secret(SecretSource(file=str(file))) == b"\0value"
    assert missing_secret(SecretSource(file=str(tmp_path))).endswith("is no file")
    file.write_bytes(b"x" * (LIMIT + 1))
    assert "more than" in missing_secret(SecretSource(file=str(file)))
    assert read_secret(SecretSource(file=str(file))) is None
    assert missing_secret(SecretSource(env="ZB_TOKEN")) == "the variable ZB_TOKEN is not set"
    assert read_secret(SecretSource(env="ZB_TOKEN")) is None
    monkeypatch.setenv("ZB_TOKEN", "\udcff")
    assert missing_secret(SecretSource(env="ZB_TOKEN")) == ""
    assert read_secret(SecretSource(env="ZB_TOKEN")) == b"\xff"


def test_an_agent_is_found_or_it_is_said_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert "not set" in missing_agent(AgentSource())
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path))
    assert "is no socket" in missing_agent(AgentSource())
    assert missing_agent(AgentSource((str(tmp_path / "gone"),))) == f"there is no {tmp_path}/gone"
    (tmp_path / "key").touch()
    assert missing_agent(AgentSource((str(tmp_path / "key"),))) == ""


@pytest.mark.parametrize(
    ("mounts", "is_in"),
    [
        ("tmpfs /dev/shm tmpfs rw 0 0\n", True),
        ("/dev/sda / ext4 rw 0 0\n", False),
        ("tmpfs /dev/shm tmpfs rw 0 0\n/dev/sda /dev/shm ext4 rw 0 0\n", False),
        ("tmpfs /dev/shm/x tmpfs rw 0 0\n", False),
        ("", False),
    ],
)
def test_memory_is_told_from_disks(mounts: str, is_in: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert is_in_memory(mounts, "/dev/shm") is is_in  # noqa: S108 - a mount


def test_a_folder_in_memory_is_its_users_alone_and_goes() -> None:
    name = f"zbuild-test-{os.getpid()}"
    with memory_folder(name) as folder:
        (folder / "secret").write_text("x")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert leftovers("zbuild-test-") == {folder: name}
    assert not folder.exists()
    assert leftovers(name) == {}
