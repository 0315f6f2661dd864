from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from zbuild.base.errors import StateError
from zbuild.state.faults import state_fault
from zbuild.state.folder import StateFolder, atomic_write

if TYPE_CHECKING:
    from pathlib import Path


def test_the_folder_is_private_and_hidden_from_git_and_backups(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert (folder.path / ".gitignore").read_text() == "*\n"
    assert (folder.path / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert all(path.is_dir() for path in (folder.stat, folder.plan, folder.logs, folder.mounts))


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path)
    (folder.path / ".gitignore").write_text("mine\n")
    before = {path: path.stat().st_mtime_ns for path in (folder.path, *folder.path.iterdir())}
    assert StateFolder.open(tmp_path) == folder
    assert before == {path: path.stat().st_mtime_ns for path in (folder.path, *folder.path.iterdir())}


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".zbuild").symlink_to("elsewhere")
    with pytest.raises(StateError) as caught:
        StateFolder.open(tmp_path)
    assert caught.value.code == "state-link"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_in_its_place_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / ".zbuild").write_text("")
    with pytest.raises(StateError, match=str(tmp_path / ".zbuild")) as caught:
        StateFolder.open(tmp_path)
    assert caught.value.code == "state-io"


def test_atomic_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    atomic_write(path, b"new" * 100_000)
    assert path.read_bytes() == b"new" * 100_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_atomic_write_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    atomic_write("file", b"x")
    assert (tmp_path / "file").read_bytes() == b"x"


def test_atomic_write_that_fails_keeps_the_old_and_no_temporary(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(StateError, match="file"):
        atomic_write(tmp_path / "file", b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_missing_folder_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="gone/file") as caught:
        atomic_write(tmp_path / "gone" / "file", b"x")
    assert caught.value.code == "state-io"


def test_writers_at_once_leave_one_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([65 + number]) * 50_000 for number in range(6)]
    threads = [threading.Thread(target=atomic_write, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_sweep_removes_what_the_dead_left(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path)
    dead = folder.plan / ".p.4194304-1.tmp"  # above the system's greatest process id
    alive = folder.plan / f".p.{os.getpid()}-1.tmp"
    others = [folder.plan / "plan.tmp", folder.path / "state.db"]
    nameless = folder.path / ".x.tmp"
    for path in (dead, alive, nameless, *others):
        path.write_bytes(b"")
    folder.sweep()
    assert alive.exists()
    assert all(path.exists() for path in others)
    assert not dead.exists()
    assert not nameless.exists()


def test_sweep_removes_what_the_dead_had_on_its_way(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path)
    dead, alive = folder.transfers / "4194304-1", folder.transfers / f"{os.getpid()}-1"
    for path in (dead, alive):
        (path / "push-1").mkdir(parents=True)
    folder.sweep()
    assert (dead.exists(), alive.exists()) == (False, True)


@pytest.mark.parametrize(
    ("number", "code"),
    [(28, "disk-full"), (122, "disk-full"), (30, "state-read-only"), (13, "state-read-only"), (5, "state-io")],
)
def test_faults_have_codes_and_name_the_path(number: int, code: str) -> None:
    error = state_fault(OSError(number, "x"), "/some/path")
    assert (error.code, error.exit_code) == (code, 3)
    assert "/some/path" in error.message


def test_folders_that_killed_processes_left_are_swept(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path)
    dead, living = (folder.mounts / f".shown.{pid}-1-0.tmp" for pid in (2**22 + 1, os.getpid()))
    for path in (dead, living):
        path.mkdir()
        (path / "file").touch()
    folder.sweep()
    assert [path.name for path in folder.mounts.iterdir()] == [living.name]
