"""Nothing is left: no process, no container, no half image, whatever ends a build."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from support.lab import DictMemory, Lab, run
from support.storage import Storage

from zbuild.backend.buildah.backend import BuildahBackend
from zbuild.backend.proc import leaders_naming
from zbuild.base.errors import BackendError, InterruptedBuildError, StageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.buildah_store import BuildahStore

# A time by which these tests tell their own processes from those of tests that run beside them.
SECONDS = 1_000_000 + os.getpid()
# Ignores TERM, and has put a child of its own into another session.
STUBBORN = f"trap '' TERM; (setsid sleep {SECONDS} >/dev/null 2>&1 &); echo ready; sleep {SECONDS}; sleep {SECONDS}"


def sleepers() -> int:
    done = subprocess.run(["pgrep", "-fc", f"^sleep {SECONDS}"], capture_output=True, text=True, check=False)
    return int(done.stdout)


@pytest.mark.parametrize(("way", "isolation"), [("direct", ""), ("buildah", ""), ("buildah", "chroot")])
def test_cancel_leaves_no_process_and_no_container(
    buildah_lab: Lab, buildah_store: BuildahStore, monkeypatch: pytest.MonkeyPatch, way: str, isolation: str
) -> None:
    monkeypatch.setenv("ZBUILD_RUN", way)
    monkeypatch.setenv("ZBUILD_ISOLATION", isolation)
    monkeypatch.setattr("zbuild.backend.process.GRACE", 1.0)
    step = run("/bin/sh", "-c", STUBBORN)
    with ThreadPoolExecutor() as threads:
        build = threads.submit(buildah_lab.build, "stopped", step)
        while len(buildah_lab.events) < 2 and not build.done():
            time.sleep(0.02)
        asleep = sleepers()
        buildah_lab.backend.cancel()
        with pytest.raises(InterruptedBuildError):
            build.result()
    assert asleep == 2
    assert sleepers() == 0
    assert buildah_store.storage.containers() == []
    assert buildah_lab.backend._engine.runtime.leftovers("") == set()


def test_a_failed_build_leaves_no_container(buildah_lab: Lab, buildah_store: BuildahStore) -> None:
    buildah_lab.put("there")
    with pytest.raises(StageError, match="not there"):
        buildah_lab.build("bad", buildah_lab.copy("missing", dest="/"))
    assert buildah_store.storage.containers() == []


_KILLED = """
import os, sys
from pathlib import Path
from support.lab import DictMemory, Lab, run
from zbuild.backend.buildah.backend import BuildahBackend
from zbuild.base.platform import host_platform
workspace = Path(sys.argv[1])
backend = BuildahBackend(workspace, workspace, DictMemory())
lab = Lab(backend, workspace, backend.resolve("localhost/lab/base:1", host_platform(), "never"))
backend.build(lab.order("killed", run("/bin/sh", "-c", sys.argv[2])), lambda event: print(event, flush=True))
"""


@pytest.mark.parametrize("way", ["direct", "buildah"])
def test_sweep_after_kill_ends_what_still_runs(
    buildah_lab: Lab, buildah_store: BuildahStore, tmp_path: Path, way: str
) -> None:
    environment = {**os.environ, "ZBUILD_RUN": way, "PYTHONPATH": os.path.dirname(os.path.dirname(__file__))}  # noqa: PTH120 - a text
    argv = [sys.executable, "-c", _KILLED, str(tmp_path), STUBBORN]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as zbuild:
        assert zbuild.stdout
        while "line='ready'" not in zbuild.stdout.readline():
            assert zbuild.poll() is None
        zbuild.kill()
    ((name,),) = [found.names for found in buildah_lab.backend._engine.store.containers()]
    assert leaders_naming(name)
    runtime = buildah_lab.backend._engine.runtime
    overlay = buildah_lab.backend._engine.overlay
    assert runtime.leftovers("") == overlay.leftovers("zbuild-") == ({name} if way == "direct" else set())
    assert buildah_lab.backend.sweep((), ()) == (f"container {name}",)
    assert sleepers() == 0
    assert buildah_store.storage.containers() == []
    assert runtime.leftovers("") == overlay.leftovers("zbuild-") == set()


def test_nothing_outlives_a_runtime_that_is_killed(buildah_lab: Lab, buildah_store: BuildahStore) -> None:
    """What runs in its container has no parent of ours any more."""
    runtime = buildah_lab.backend._engine.runtime
    with ThreadPoolExecutor() as threads:
        build = threads.submit(buildah_lab.build, "orphan", run("/bin/sh", "-c", STUBBORN))
        while sleepers() < 2 and not build.done():
            time.sleep(0.02)
        leaders = [leader for name in runtime.leftovers("") for leader in leaders_naming(name)]
        for leader in leaders:
            os.kill(leader, signal.SIGKILL)
        with pytest.raises(StageError):
            build.result()
    assert len(leaders) == 1
    assert sleepers() == 0
    assert runtime.leftovers("") == set()
    assert buildah_store.storage.containers() == []


def test_another_workspaces_leftovers_are_not_ours(buildah_store: BuildahStore, tmp_path: Path) -> None:
    here = buildah_store.lab(tmp_path / "here")
    there = buildah_store.lab(tmp_path / "there")
    own = there.build("own", names=())
    container = there.backend._engine.names.new_container()
    buildah_store.storage.buildah("from", "--name", container, "scratch")
    assert here.backend.sweep((), ()) == ()
    assert own.image_id in here.backend.images()
    assert len(there.backend.sweep((), ())) == 2


@pytest.fixture
def small_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """A store on a file system of 24 MB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], check=True)
    storage = Storage.create(place / "s")
    for name, value in storage.settings.items():
        monkeypatch.setenv(name, value)
    yield storage
    try:
        storage.remove()
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", place], check=True)


@pytest.mark.parametrize("megabytes", [14, 40])
def test_full_disk(small_store: Storage, tmp_path: Path, megabytes: int) -> None:
    """14 MB can be copied in but not committed, 40 MB not even copied."""
    lab = Lab(BuildahBackend(tmp_path, tmp_path, DictMemory()), tmp_path)
    lab.base = lab.make_base()
    lab.put("large")
    (tmp_path / "context/large").write_bytes(os.urandom(megabytes << 20))
    before = lab.backend.images()
    with pytest.raises(BackendError) as raised:
        lab.build("large", lab.copy("large", dest="/large"))
    assert raised.value.code == "disk-full"
    assert str(small_store.root) in raised.value.message
    assert lab.backend.images() == before
    assert small_store.containers() == []
    lab.build("small")
    lab.backend.close()
