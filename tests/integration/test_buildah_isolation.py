"""How RUN is isolated: probed once, overruled by hand, and honest about networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.lab import DictMemory, RecordingRunner, run

from zbuild.backend.buildah.backend import BuildahBackend
from zbuild.base.errors import BackendError, StageError
from zbuild.events.types import Output

if TYPE_CHECKING:
    from pathlib import Path

    from support.buildah_store import BuildahStore
    from support.lab import Lab


def test_probe_runs_once_and_is_remembered(buildah_store: BuildahStore, tmp_path: Path) -> None:
    memory, runner = DictMemory(), RecordingRunner()
    first = BuildahBackend(tmp_path, tmp_path, memory, runner).capabilities()
    assert runner.called[:2] == ["--version", "info"]
    # One to learn buildah's spec, and one by the runtime itself, to learn that it works.
    assert (runner.called.count("run"), runner.called.count("runc")) == (1, 1)
    assert runner.called.count("from") == runner.called.count("rm") == 1
    again = RecordingRunner()
    assert BuildahBackend(tmp_path, tmp_path, memory, again).capabilities() == first
    assert again.called == []
    assert buildah_store.storage.containers() == []


def test_a_runtime_that_fails_is_passed_over(
    buildah_store: BuildahStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert buildah_store
    for name in ("runc", "crun"):
        (tmp_path / name).write_text("#!/bin/sh\necho refused >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")
    found = BuildahBackend(tmp_path, tmp_path, DictMemory()).capabilities()
    assert "chroot isolation" in found.detail
    assert f"oci isolation with {tmp_path}/runc: " in found.detail
    assert found.networks == ("host",)


@pytest.mark.parametrize("isolation", ["chroot", "oci:/usr/sbin/runc", "oci"])
def test_isolation_can_be_chosen(buildah_lab: Lab, monkeypatch: pytest.MonkeyPatch, isolation: str) -> None:
    monkeypatch.setenv("ZBUILD_ISOLATION", isolation)
    step = run("/bin/sh", "-c", "echo out; echo err >&2; id -u; pwd; exit 9", user="web", workdir="/w")
    with pytest.raises(StageError) as raised:
        buildah_lab.build("bad", step)
    assert raised.value.returncode == 9
    assert sorted(raised.value.tail) == ["/w", "33", "err", "out"]


def test_no_network_where_it_can_be(buildah_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    step = run("/bin/sh", "-c", "cat /proc/net/dev | grep -c :", network="none")
    buildah_lab.build("alone", step)
    assert Output("alone", "1") in buildah_lab.events
    monkeypatch.setenv("ZBUILD_ISOLATION", "chroot")
    chroot = BuildahBackend(buildah_lab.workspace, buildah_lab.workspace, DictMemory())
    with pytest.raises(StageError, match="network 'none' is not possible under chroot isolation") as raised:
        chroot.build(buildah_lab.order("alone", step), buildah_lab.events.append)
    assert raised.value.code == "network-unsupported"


def test_proxies_stay_outside(buildah_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:password@127.0.0.1:9")
    buildah_lab.build("env", run("/bin/env"))
    assert not [event for event in buildah_lab.events if isinstance(event, Output) and "password" in event.line]


def test_unknown_user_is_named(buildah_lab: Lab) -> None:
    with pytest.raises(StageError) as raised:
        buildah_lab.build("u", run("/bin/id", user="nobody"))
    assert (raised.value.code, raised.value.message) == ("unknown-user", "the image has no user 'nobody'")


def test_missing_buildah_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendError) as raised:
        BuildahBackend(tmp_path, tmp_path, DictMemory()).capabilities()
    assert raised.value.code == "tool-missing"
    assert "apt-get install buildah" in raised.value.hint
