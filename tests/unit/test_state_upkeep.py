"""The records do not grow for ever, and what is dropped is what nobody can use."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from support.records import no_notice, record

from zbuild.state.folder import StateFolder
from zbuild.state.records import RecordStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder.open(tmp_path)


@pytest.fixture
def store(folder: StateFolder) -> Iterator[RecordStore]:
    with RecordStore.open(folder, no_notice) as opened:
        yield opened


def test_a_use_is_remembered_until_the_record_is_made_anew(store: RecordStore) -> None:
    for key in "abc":
        store.put(record(key))
    store.upkeep.note_use(["a", "b", "gone"], 90_000.0)
    store.upkeep.note_use(["a"], 95_000.0)
    store.put(record("b", created=2000.0))
    assert store.upkeep.last_used() == {"a": 95_000.0, "b": 2000.0, "c": 1000.25}


def test_uses_close_together_write_nothing(folder: StateFolder, store: RecordStore) -> None:
    store.put(record("a"))
    store.upkeep.note_use(["a"], 90_000.0)
    log = folder.path / "state.db-wal"
    before = (log.stat().st_size, log.stat().st_mtime_ns)
    store.upkeep.note_use(["a"], 90_100.0)
    assert (log.stat().st_size, log.stat().st_mtime_ns) == before
    assert store.upkeep.last_used() == {"a": 90_000.0}


def test_records_without_image_go_but_for_the_newest_of_a_stage(store: RecordStore) -> None:
    tree = (("COPY . .", "files", "tree-a"),)
    store.save_tree("tree-a", b"a")
    store.save_tree("tree-b", b"b")
    store.put(record("a", inputs=tree))
    store.put(record("b", inputs=(("COPY . .", "files", "tree-b"),)))
    store.put(record("c"))
    store.put(record("other", stage="web", inputs=(("COPY \udcff", "files", "x\udcff"),)))
    store.put(record("elsewhere", backend="fake"))
    store.upkeep.drop_dead("buildah", ["id-b"])
    assert [found.key for found in store.records()] == ["b", "c", "other", "elsewhere"]
    assert (store.tree("tree-a"), store.tree("tree-b")) == (None, b"b")
    store.put(record("a", exports=()))
    assert store.get("a") == record("a", exports=())


def test_a_tree_stays_while_another_record_tells_of_it(store: RecordStore) -> None:
    store.save_tree("tree", b"x")
    for key in "ab":
        store.put(record(key, inputs=(("COPY . .", "files", "tree"),)))
    store.forget(["a"])
    assert store.tree("tree") == b"x"
    store.forget(["b"])
    assert store.tree("tree") is None


def test_only_the_newest_runs_are_kept(store: RecordStore) -> None:
    for number in range(205):
        store.add_run(f"r{number:03}", "zbuild build", float(number))
    assert [run[0] for run in store.runs()] == [f"r{number:03}" for number in range(5, 205)]


def test_the_state_of_an_older_zbuild_is_taken_over(folder: StateFolder, store: RecordStore) -> None:
    store.put(record("a"))
    store.close()
    with sqlite3.connect(folder.database) as older:
        for index in ("records_image", "records_files_key"):
            older.execute(f"DROP INDEX {index}")
        for column in ("used", "content", "files_key"):
            older.execute(f"ALTER TABLE records DROP COLUMN {column}")
        older.execute("DROP TABLE checkpoints")
        older.execute("PRAGMA user_version = 1")
    older.close()
    for _ in range(2):
        with RecordStore.open(folder, no_notice) as opened:
            assert opened.get("a") == record("a", content="")
            opened.upkeep.note_use(["a"], 90_000.0)
            assert opened.upkeep.last_used() == {"a": 90_000.0}
