"""RUN by the runtime itself: when it is chosen, and that nothing is left of it or seen of its settings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.lab import DictMemory, Lab, run
from support.run_ways import build_both_ways, shell

from zbuild.backend.buildah.backend import BuildahBackend
from zbuild.base.errors import BackendError, StageError, UsageError
from zbuild.events.types import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.buildah_store import BuildahStore


@pytest.fixture
def direct_lab(buildah_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab whose RUNs go directly; in the end nothing is left of them."""
    monkeypatch.setenv("ZBUILD_RUN", "direct")
    yield buildah_lab
    assert buildah_lab.backend._engine.runtime.leftovers("") == set()


def test_nothing_is_left_of_a_run_however_it_ends(direct_lab: Lab) -> None:
    direct_lab.build("good", run("/bin/touch", "/x"))
    with pytest.raises(StageError):
        direct_lab.build("bad", run("/bin/fail", "3", "x"))
    with pytest.raises(StageError):
        direct_lab.build("missing", run("/bin/no-such"))
    started = time.monotonic()
    with pytest.raises(StageError, match="stopped after"):
        direct_lab.build("slow", run("/bin/sleep", "60", timeout=300_000_000))
    assert time.monotonic() - started < 10


def test_processes_left_behind_end_with_their_run(direct_lab: Lab) -> None:
    direct_lab.build("daemon", shell("(sleep 7655 </dev/null >/dev/null 2>&1 &); echo done"))
    assert not [argv for argv in _arguments() if b"7655" in argv.split(b"\0")]


def test_settings_are_in_no_argument_and_in_no_readable_file(direct_lab: Lab) -> None:
    bundles = direct_lab.backend._engine.runtime.bundles
    modes: dict[str, int] = {}
    seen: list[bytes] = []

    def look(event: object) -> None:
        if isinstance(event, Output):
            modes.update((path.name, path.stat().st_mode & 0o777) for path in bundles.glob("*/config.json"))
            modes.update(("folder", path.stat().st_mode & 0o777) for path in bundles.iterdir())
            seen.extend(argv for argv in _arguments() if b"hunter2" in argv)

    step = shell("echo ${#TOKEN}; sleep 0.5", env=(("PATH", "/bin"), ("TOKEN", "hunter2")))
    direct_lab.backend.build(direct_lab.order("secret", step), look)
    assert modes == {"config.json": 0o600, "folder": 0o700}
    assert seen == []


def _arguments() -> Iterator[bytes]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield entry.read_bytes()
        except OSError:
            continue  # it has ended


def test_a_way_can_be_forced(buildah_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "RUN by the runtime itself" in buildah_lab.backend.capabilities().detail
    monkeypatch.setenv("ZBUILD_RUN", "buildah")
    assert "RUN by buildah run" in buildah_lab.backend.capabilities().detail
    monkeypatch.setenv("ZBUILD_RUN", "dirct")
    with pytest.raises(UsageError) as raised:
        buildah_lab.backend.capabilities()
    assert raised.value.hint == "did you mean 'direct'?"


def test_chroot_hosts_keep_buildahs_run(
    buildah_store: BuildahStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZBUILD_ISOLATION", "chroot")
    backend = BuildahBackend(tmp_path, tmp_path, DictMemory())
    assert "not directly: there is no OCI runtime" in backend.capabilities().detail
    monkeypatch.setenv("ZBUILD_RUN", "direct")
    with pytest.raises(BackendError, match="there is no OCI runtime") as raised:
        backend.capabilities()
    assert raised.value.code == "not-direct"
    assert buildah_store.storage.containers() == []


def test_a_runtime_that_fails_by_itself_is_told(
    buildah_store: BuildahStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that works for buildah, which calls `create`, but not for `run`."""
    script = (
        '#!/bin/sh\nfor word; do case $word in run) echo "no run" >&2; exit 1;; esac; done\nexec /usr/sbin/runc "$@"\n'
    )
    (tmp_path / "runc").write_text(script)
    (tmp_path / "runc").chmod(0o755)
    monkeypatch.setenv("ZBUILD_ISOLATION", f"oci:{tmp_path}/runc")
    lab = Lab(BuildahBackend(tmp_path, tmp_path, DictMemory()), tmp_path, buildah_store.lab(tmp_path / "x").base)
    assert f"not directly: {tmp_path}/runc: no run" in lab.backend.capabilities().detail
    lab.build("still", run("/bin/touch", "/x"))


@pytest.fixture
def configured(
    buildah_store: BuildahStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Lab]]:
    """A function that returns a lab under a containers.conf; its backend is closed at the end."""
    opened: list[BuildahBackend] = []

    def make(text: str) -> Lab:
        (tmp_path / "containers.conf").write_text(f"[containers]\n{text}\n")
        monkeypatch.setenv("CONTAINERS_CONF", str(tmp_path / "containers.conf"))
        opened.append(BuildahBackend(tmp_path, tmp_path, DictMemory()))
        return Lab(opened[-1], tmp_path, buildah_store.lab(tmp_path / "x").base)

    yield make
    for backend in opened:
        backend.close()


def test_settings_of_containers_conf_hold(configured: Callable[[str], Lab]) -> None:
    lab = configured('default_capabilities = ["CHOWN"]\ndefault_ulimits = ["nofile=100:200"]\nenv = ["EXTRA=1"]')
    assert "RUN by the runtime itself" in lab.backend.capabilities().detail
    status = "while read l; do case $l in Cap*|Seccomp*) echo $l;; esac; done < /proc/self/status"
    result = build_both_ways(lab, shell(f"ulimit -n; ulimit -Hn; {status}; echo $EXTRA"))
    assert {"CapEff: 0000000000000001", "100", "200"} <= set(result.output)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ('volumes = ["/usr:/host-usr:ro"]', "buildah's spec has a mount at /host-usr"),
        ('dns_servers = ["192.0.2.1"]', "buildah makes another /etc/resolv.conf"),
        ('host_containers_internal_ip = "192.0.2.99"', "buildah makes another /etc/hosts"),
    ],
)
def test_what_zbuild_would_make_otherwise_is_left_to_buildah(
    configured: Callable[[str], Lab], setting: str, reason: str
) -> None:
    lab = configured(setting)
    assert "RUN by buildah run (oci isolation with /usr/sbin/runc), overlay" in lab.backend.capabilities().detail
    assert f"not directly: {reason}" in lab.backend.capabilities().detail
