"""State on disks that are full or read-only."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from zbuild.base.errors import StateError
from zbuild.state import plancache
from zbuild.state.folder import StateFolder, atomic_write
from zbuild.state.record import Record
from zbuild.state.records import RecordStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORD = Record("k", "s", "o", "v", "b", "p", "i", "d", (), "x" * 4000, 1, 1, 1.0, (), (), (("sel", "t"),), 1.0, "r")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that is left."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return path


def put_many(store: RecordStore, written: set[str]) -> None:
    for number in range(1000):
        store.put(replace(RECORD, key=f"k{number}"))
        written.add(f"k{number}")


def test_a_full_disk_names_the_path_and_keeps_what_was_recorded(disk: Path) -> None:
    folder = StateFolder.open(disk)
    with RecordStore.open(folder, pytest.fail) as store:
        store.put(RECORD)
        filler = fill(disk)
        written = {"k"}
        with pytest.raises(StateError, match=str(folder.database)) as caught:
            put_many(store, written)
        assert caught.value.code == "disk-full"
        assert {record.key for record in store.records()} == written
        filler.unlink()
        store.put(replace(RECORD, key="later"))
    with RecordStore.open(folder, pytest.fail) as store:
        assert {record.key for record in store.records()} == {*written, "later"}
        assert all(record.exports == (("sel", "t"),) for record in store.records())


def test_opening_on_a_full_disk_says_so(disk: Path) -> None:
    folder = StateFolder.open(disk)
    fill(disk)
    with pytest.raises(StateError, match=str(folder.database)) as caught:
        RecordStore.open(folder, pytest.fail)
    assert caught.value.code == "disk-full"
    (disk / "filler").unlink()
    with RecordStore.open(folder, pytest.fail) as store:
        store.put(RECORD)


def test_a_folder_on_a_full_disk_says_so(disk: Path) -> None:
    fill(disk)
    with pytest.raises(StateError, match=r"\.zbuild") as caught:
        StateFolder.open(disk)
    assert caught.value.code == "disk-full"


def test_a_file_that_does_not_fit_leaves_the_old_one_whole(disk: Path) -> None:
    folder = StateFolder.open(disk)
    plancache.save(folder, "p", "old")
    before = sorted(folder.plan.iterdir())
    fill(disk)
    with pytest.raises(StateError, match=str(folder.plan / "p")) as caught:
        plancache.save(folder, "p", b"x" * 100_000)
    assert caught.value.code == "disk-full"
    assert plancache.load(folder, "p") == "old"
    assert sorted(folder.plan.iterdir()) == before


def test_a_read_only_file_system_says_so(disk: Path) -> None:
    folder = StateFolder.open(disk)
    with RecordStore.open(folder, pytest.fail) as store:
        store.put(RECORD)
    (disk / "other").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert StateFolder.open(disk) == folder
    for attempt in (
        lambda: StateFolder.open(disk / "other"),
        lambda: atomic_write(folder.plan / "p", b""),
        lambda: RecordStore.open(folder, pytest.fail),
    ):
        with pytest.raises(StateError) as caught:
            attempt()
        assert caught.value.code == "state-read-only"
