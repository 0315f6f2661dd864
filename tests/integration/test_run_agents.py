"""Agents lent to RUN: a real ssh-agent outside, a real ssh-add inside."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.run_ways import WAYS, shell

from zbuild.base.errors import StageError
from zbuild.events.types import Output
from zbuild.model.mounts import SshMount
from zbuild.model.secrets import AgentSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.lab import Lab

_PROGRAM = "/usr/bin/ssh-add"


def make_key(file: Path, passphrase: str = "") -> Path:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", file.name, "-f", str(file)]
    subprocess.run(argv, check=True)
    return file


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "lab-key")


@pytest.fixture
def agent(tmp_path: Path, key: Path) -> Iterator[Path]:
    """The socket of a real ssh-agent that holds the key."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert process.poll() is None
        subprocess.run(["ssh-add", "-q", key], env={**os.environ, "SSH_AUTH_SOCK": str(socket)}, check=True)
        yield socket
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=WAYS)
def lab(request: pytest.FixtureRequest, buildah_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose base has ssh-add, with the libraries it needs."""
    context = buildah_lab.workspace / "context"
    words = subprocess.run(["ldd", _PROGRAM], check=True, capture_output=True, text=True).stdout.split()
    for path in (_PROGRAM, *(word for word in words if word.startswith("/"))):
        (context / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, context / path.lstrip("/"))
    made = buildah_lab.build("ssh", buildah_lab.copy(".", dest="/"))
    buildah_lab.base = buildah_lab.backend.resolve(made.image_id, buildah_lab.order("x").platform, "never")
    monkeypatch.setenv("ZBUILD_RUN", request.param)
    buildah_lab.events.clear()
    return buildah_lab


def lines(lab: Lab) -> list[str]:
    return [event.line for event in lab.events if isinstance(event, Output)]


def test_a_command_sees_the_keys_of_an_agent(lab: Lab, agent: Path) -> None:
    mount = SshMount(target="/run/buildkit/ssh_agent.0", required=True)
    step = shell(f"{_PROGRAM} -l", mounts=(mount,), env=(("PATH", "/bin"), ("SSH_AUTH_SOCK", mount.target)))
    result = lab.build("sees", step, agents={"default": AgentSource((str(agent),))})
    (line,) = lines(lab)
    assert "lab-key (ED25519)" in line
    with pytest.raises(FileNotFoundError):
        lab.read(result.image_id, "/run/buildkit/ssh_agent.0")


def test_the_agent_of_the_environment_is_the_default(lab: Lab, agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    step = shell(f"SSH_AUTH_SOCK=/s {_PROGRAM} -l", mounts=(SshMount(target="/s"),))
    lab.build("environment", step, agents={"default": AgentSource()})
    assert "lab-key" in lines(lab)[0]


def test_other_users_have_it_when_it_is_theirs(lab: Lab, agent: Path) -> None:
    mounts = (SshMount("a", "/mine", mode="0600", uid=33, gid=44), SshMount("a", "/roots"))
    text = f"for s in /mine /roots; do SSH_AUTH_SOCK=$s {_PROGRAM} -l >/dev/null 2>&1 && echo $s; done; true"
    lab.build("user", shell(text, mounts=mounts, user="web"), agents={"a": AgentSource((str(agent),))})
    assert lines(lab) == ["/mine"]


def test_a_command_can_neither_empty_nor_fill_nor_lock_the_agent(lab: Lab, agent: Path) -> None:
    text = f"export SSH_AUTH_SOCK=/s; {_PROGRAM} -q -D 2>/dev/null || echo kept; {_PROGRAM} -l | wc -l"
    lab.build("empty", shell(text, mounts=(SshMount(target="/s"),)), agents={"default": AgentSource((str(agent),))})
    assert lines(lab) == ["kept", "1"]


def test_a_file_of_a_key_is_an_agent_too(lab: Lab, key: Path) -> None:
    step = shell(f"SSH_AUTH_SOCK=/s {_PROGRAM} -l", mounts=(SshMount("git", "/s"),))
    lab.build("key", step, agents={"git": AgentSource((str(key),))})
    assert "lab-key" in lines(lab)[0]
    processes = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    own = lab.backend._engine.names.container_prefix.encode()  # type: ignore[union-attr] # the lab is buildah's
    assert [line for line in processes if line.startswith(b"ssh-agent") and own in line] == []


def test_a_key_with_a_passphrase_is_refused(lab: Lab, tmp_path: Path) -> None:
    key = make_key(tmp_path / "closed", "passphrase")
    with pytest.raises(StageError) as raised:
        lab.build(
            "closed", shell("true", mounts=(SshMount(target="/s"),)), agents={"default": AgentSource((str(key),))}
        )
    assert raised.value.code == "bad-key"
    assert "passphrase" in raised.value.hint
