"""Secrets and agents of RUN, both ways: what the command gets, and that nothing of it is left or shown anywhere."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.image_tree import describe_tree
from support.run_ways import WAYS, shell, use_all_of_busybox

from zbuild.base.errors import StageError
from zbuild.events.types import Output
from zbuild.model.image_config import ImageConfig
from zbuild.model.mounts import SecretMount, SshMount
from zbuild.model.secrets import AgentSource, SecretSource

if TYPE_CHECKING:
    from support.lab import Lab

VALUE = "hush-4711-value"
MEMORY = Path("/dev/shm")  # noqa: S108 - where secrets lie


@pytest.fixture(params=WAYS)
def lab(request: pytest.FixtureRequest, buildah_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    use_all_of_busybox(buildah_lab)
    monkeypatch.setenv("ZBUILD_RUN", request.param)
    buildah_lab.events.clear()
    return buildah_lab


@pytest.fixture
def source(tmp_path: Path) -> SecretSource:
    file = tmp_path / "value"
    file.write_text(VALUE + "\n")
    return SecretSource(file=str(file))


def lines(lab: Lab) -> list[str]:
    return [event.line for event in lab.events if isinstance(event, Output)]


def test_a_secret_is_a_file_that_only_root_can_read(lab: Lab, source: SecretSource) -> None:
    text = "ls -ln /run/secrets/token | cut -c1-10; ls -ln /run/secrets | wc -l; wc -c < /run/secrets/token"
    text += "; grep ' /run/secrets/token ' /proc/mounts | cut -d' ' -f3; echo x > /run/secrets/token || echo readonly"
    mount = SecretMount("token", "/run/secrets/token", required=True)
    result = lab.build("file", shell(text, mounts=(mount,)), secrets={"token": source})
    told = [line for line in lines(lab) if "Read-only" not in line]
    assert told == ["-r--------", "2", str(len(VALUE) + 1), "tmpfs", "readonly"]
    root = Path(os.fsdecode(lab.backend._roots.root(result.image_id)))
    assert "run/secrets" not in describe_tree(root)


def test_a_secret_has_the_owner_and_mode_that_are_asked_for(lab: Lab, source: SecretSource) -> None:
    mount = SecretMount("token", "/home/web/.token", mode="0440", uid=33, gid=50)
    step = shell("ls -ln /home/web/.token | tr -s ' ' | cut -d' ' -f1,3,4", mounts=(mount,), user="web")
    lab.build("owned", step, secrets={"token": source})
    assert lines(lab) == ["-r--r----- 33 50"]


def test_a_secret_is_a_variable_of_the_command_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTSIDE", VALUE)
    probe = "ls /run/secrets 2>/dev/null; test $TOKEN = hush-4711-value && echo given; echo $PLAIN"
    step = shell(probe, mounts=(SecretMount("token", "", "TOKEN"),), env=(("PATH", "/bin"), ("PLAIN", "p")))
    after = shell("echo ${TOKEN:-gone}")
    result = lab.build("env", step, after, secrets={"token": SecretSource(env="OUTSIDE")})
    assert lines(lab) == ["given", "p", "gone"]
    assert VALUE not in str(lab.config(result.image_id))


def test_it_is_a_file_and_a_variable_when_both_are_asked_for(lab: Lab, source: SecretSource) -> None:
    mount = SecretMount("token", "/t", "TOKEN")
    lab.build(
        "both",
        shell('test "$TOKEN" = "$(cat /t)" || printf "%s" "$TOKEN" | cmp - /t', mounts=(mount,)),
        secrets={"token": source},
    )


def test_what_prints_a_secret_shows_stars(lab: Lab, source: SecretSource, tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = "set -x; cat /t; echo before-$TOKEN-after; echo err:$TOKEN >&2; exit 7"
    step = shell(text, mounts=(SecretMount("token", "/t", "TOKEN"),))
    with pytest.raises(StageError) as raised:
        lab.build("told", step, secrets={"token": source}, log=str(log))
    told = "\n".join([*lines(lab), *raised.value.tail, raised.value.message, log.read_text(), repr(lab.events)])
    assert VALUE not in told
    assert "***" in lines(lab)
    assert "err:***" in lines(lab)


def test_an_optional_secret_that_is_not_given_is_not_there(lab: Lab, tmp_path: Path) -> None:
    mounts = (SecretMount("no", "/n"), SecretMount("gone", "/g", "GONE"), SshMount("none", "/s"))
    text = "ls /n /g /s 2>/dev/null || echo nothing; echo [$GONE]"
    gone = {"gone": SecretSource(file=str(tmp_path / "missing"))}
    lab.build("optional", shell(text, mounts=mounts), secrets=gone, agents={"none": AgentSource((f"{tmp_path}/no",))})
    assert lines(lab) == ["nothing", "[]"]


@pytest.mark.parametrize("mount", [SecretMount("a", "/a", required=True), SshMount("a", "/a", required=True)])
def test_a_required_one_that_is_not_given_is_an_error(lab: Lab, mount: Any) -> None:
    with pytest.raises(StageError, match="'a' is not given"):
        lab.build("required", shell("true", mounts=(mount,)))


def test_bytes_that_are_no_text_can_be_a_file_but_no_variable(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "bytes"
    file.write_bytes(b"\0\xff\n" * 3)
    secrets = {"bytes": SecretSource(file=str(file))}
    lab.build("file", shell("test $(wc -c < /b) = 9", mounts=(SecretMount("bytes", "/b"),)), secrets=secrets)
    with pytest.raises(StageError) as raised:
        lab.build("env", shell("true", mounts=(SecretMount("bytes", "", "B"),)), secrets=secrets)
    assert raised.value.code == "bad-secret"


def test_secrets_hold_where_the_base_has_volumes(lab: Lab, source: SecretSource) -> None:
    config = ImageConfig(env=(("PATH", "/bin"),), volumes=("/v",))
    base = lab.build("volumes", config=config, names=("localhost/lab/volumes:1",))
    lab.base = lab.backend.resolve(base.image_id, lab.order("x").platform, "never")
    step = shell("test $T = hush-4711-value && echo given", mounts=(SecretMount("token", "", "T"),))
    lab.build("v", step, secrets={"token": source})
    assert lines(lab) == ["given"]


@dataclass
class Watch:
    """What is seen of the machine while a RUN holds its secrets: arguments, and files that are not in memory."""

    seen: list[str] = field(default_factory=list)

    def look(self, *folders: Path) -> None:
        needle = VALUE.encode()
        for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
            self._check(cmdline, needle)
        for folder in folders:
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    self._check(path, needle)

    def _check(self, path: Path, needle: bytes) -> None:
        try:
            if needle in path.read_bytes():
                self.seen.append(str(path))
        except OSError:
            pass


def test_no_secret_is_in_arguments_files_or_images(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command calls back, by a fifo in a mount, so that the machine is looked at while it runs."""
    monkeypatch.setenv("OUTSIDE", VALUE)
    watch = Watch()
    store = Path(lab.backend._engine.facts.graphroot).parent
    temporary = Path(os.environ.get("TMPDIR", "/var/tmp"))  # noqa: S108 - where buildah has its bundles
    mounts = (SecretMount("token", "", "TOKEN"), SecretMount("token", "/run/secrets/token"))
    step = shell("cat /run/secrets/token > /dev/null; sleep 2; echo done", mounts=mounts)

    def listen(event: object) -> None:
        lab.events.append(event)  # type: ignore[arg-type]

    timer = threading.Timer(1.2, lambda: watch.look(store, lab.workspace, *temporary.glob("buildah*"), Path("/run")))
    timer.start()
    order = lab.order("quiet", step, secrets={"token": SecretSource(env="OUTSIDE")}, log=str(tmp_path / "log"))
    lab.backend.build(order, listen)
    timer.join()
    watch.look(store, lab.workspace)
    assert lines(lab) == ["done"]
    assert watch.seen == []
    assert [path for path in MEMORY.iterdir() if path.name.startswith(lab.backend._engine.names.container_prefix)] == []


def test_under_chroot_a_secret_is_a_file_and_no_variable(
    buildah_lab: Lab, source: SecretSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZBUILD_ISOLATION", "chroot")
    secrets = {"token": source}
    step = shell(
        "test $(cat /run/secrets/token) = hush-4711-value", mounts=(SecretMount("token", "/run/secrets/token"),)
    )
    buildah_lab.build("chroot", step, secrets=secrets)
    with pytest.raises(StageError) as raised:
        buildah_lab.build("env", shell("true", mounts=(SecretMount("token", "", "T"),)), secrets=secrets)
    assert raised.value.code == "secret-unsupported"
