"""What is left of `.zbuild` when processes are killed with SIGKILL."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from zbuild.base.errors import StateError
from zbuild.state.folder import StateFolder
from zbuild.state.lock import WorkspaceLock
from zbuild.state.records import RecordStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITE_RECORDS = """
import sys
from pathlib import Path
from zbuild.state.folder import StateFolder
from zbuild.state.record import Record
from zbuild.state.records import RecordStore

with RecordStore.open(StateFolder.open(Path(sys.argv[1])), print) as store:
    for number in range(int(sys.argv[2]), 10**9):
        key = f"k{number}"
        store.begin(key, (f"name:{number}",))
        text = "x" * (number % 3000)
        exports = (("sel", key),)
        store.put(Record(key, "s", "o", "v", "b", "p", key, "d", (text,), text, 1, 1, 1.0, (), (), exports, 1.0, "r"))
        print(key, flush=True)
"""

WRITE_FILES = """
import sys
from zbuild.state.folder import atomic_write

print("begun", flush=True)
for number in range(10**9):
    atomic_write(sys.argv[1], bytes([number % 256]) * 100_000)
"""

HOLD_LOCK = """
import subprocess, sys
from pathlib import Path
from zbuild.state.lock import WorkspaceLock

def waits(holder):
    print("waits for", holder, flush=True)

with WorkspaceLock(Path(sys.argv[1]), "zbuild build " + sys.argv[2]).acquire(True, waits):
    child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
    print("holds", child.pid, flush=True)
    child.wait()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str]) -> list[str]:
    """Kill a process, and return the whole lines it had written."""
    process.kill()
    written, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    return written.rpartition("\n")[0].splitlines()


def test_killed_while_recording_nothing_acknowledged_is_lost_and_nothing_is_half(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path)
    acknowledged: list[str] = []
    for _ in range(6):
        process = start(WRITE_RECORDS, tmp_path, len(acknowledged) * 2)
        time.sleep(random.uniform(0.15, 0.4))  # noqa: S311 - any moment will do
        acknowledged += kill(process)
        with RecordStore.open(folder, pytest.fail) as store:
            records = {record.key: record for record in store.records()}
            begun = {order.key for order in store.unfinished()}
        assert set(acknowledged) <= records.keys()
        assert len(records.keys() - set(acknowledged)) <= 6  # at most one per kill: committed, not yet said so
        assert all(record.exports == (("sel", key),) and record.image_id == key for key, record in records.items())
        assert not begun & records.keys()
        assert len(begun) <= 6
    assert len(acknowledged) > 50


def test_killed_while_writing_a_file_it_is_the_old_or_the_new(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path)
    path = folder.plan / "file"
    for _ in range(6):
        process = start(WRITE_FILES, path)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.uniform(0.0, 0.1))  # noqa: S311 - any moment will do
        kill(process)
        if path.exists():
            data = path.read_bytes()
            assert len(data) == 100_000
            assert len(set(data)) == 1
    folder.sweep()
    assert {entry.name for entry in folder.plan.iterdir()} <= {"file"}


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    path = StateFolder.open(tmp_path).lock
    process = start(HOLD_LOCK, path, "api")
    assert process.stdout is not None
    child = int(process.stdout.readline().split()[1])
    yield path, process
    kill(process)
    os.kill(child, signal.SIGKILL)


def test_a_dead_holders_lock_is_free_though_its_child_lives(holder: tuple[Path, subprocess.Popen[str]]) -> None:
    path, process = holder
    with pytest.raises(StateError, match=rf"pid {process.pid} \(zbuild build api\)"):
        WorkspaceLock(path).acquire(wait=False, on_wait=pytest.fail)
    process.kill()
    process.wait()
    with WorkspaceLock(path, "next").acquire(wait=False, on_wait=pytest.fail):
        assert path.read_text() == f"pid {os.getpid()} (next)"


def test_who_waits_goes_on_when_the_holder_is_killed(holder: tuple[Path, subprocess.Popen[str]]) -> None:
    path, process = holder
    waiter = start(HOLD_LOCK, path, "web")
    assert waiter.stdout is not None
    assert waiter.stdout.readline() == f"waits for pid {process.pid} (zbuild build api)\n"
    process.kill()
    line = waiter.stdout.readline()
    assert line.startswith("holds")
    kill(waiter)
    os.kill(int(line.split()[1]), signal.SIGKILL)


def test_waiting_ends_at_once_on_ctrl_c(holder: tuple[Path, subprocess.Popen[str]]) -> None:
    path, _ = holder
    waiter = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, path, "web"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert waiter.stdout is not None
    assert waiter.stdout.readline().startswith("waits for")
    waiter.send_signal(signal.SIGINT)
    _, errors = waiter.communicate(timeout=5)
    assert "KeyboardInterrupt" in errors
