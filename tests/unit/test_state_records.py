from __future__ import annotations

import os
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
from support.records import no_notice, record

from zbuild.base.errors import StateError
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


def test_a_record_comes_back_whole_after_reopening(folder: StateFolder) -> None:
    with RecordStore.open(folder, no_notice) as store:
        store.put(record("a"))
        store.put(record("b", diff_ids=(), step_seconds=(), inputs=(), exports=()))
    with RecordStore.open(folder, no_notice) as store:
        assert store.get("a") == record("a")
        assert list(store.records()) == [record("a"), record("b", diff_ids=(), step_seconds=(), inputs=(), exports=())]
        assert store.get("c") is None


def test_a_second_record_of_a_key_replaces_the_first_and_its_exports(store: RecordStore) -> None:
    store.put(record("a"))
    store.put(record("a", image_id="new", exports=(("s3", "d3"),)))
    assert list(store.records()) == [record("a", image_id="new", exports=(("s3", "d3"),))]


def test_many_are_found_in_one_query(store: RecordStore) -> None:
    keys = [f"k{number}" for number in range(5)]
    for key in keys:
        store.put(record(key))
    assert store.get_many(["k1", "k3", "gone"]) == {"k1": record("k1"), "k3": record("k3")}
    assert store.by_static_many([f"static-{key}" for key in [*keys, "gone"]]).keys() == {f"static-{k}" for k in keys}
    assert store.get_many([]) == {}


def test_the_newest_is_the_one_written_last_whatever_the_clock_says(store: RecordStore) -> None:
    store.put(record("a", static_key="s", created=9000.0, seconds=9.0))
    store.put(record("b", static_key="s", created=10.0, seconds=1.0))
    assert store.by_static("s") == store.latest("api/build") == store.get("b")
    assert store.last_seconds("api/build") == 1.0
    store.put(record("a", static_key="s", seconds=7.0))
    assert store.by_static("s") == store.latest("api/build") == store.get("a")
    assert store.last_seconds_many(["api/build", "other"]) == {"api/build": 7.0}
    assert store.last_seconds("other") is None
    assert store.latest("other") is None
    assert store.by_static("other") is None


def test_own_keys_and_image_ids(store: RecordStore) -> None:
    store.put(record("a"))
    store.put(record("b", image_id="id-a"))
    store.put(record("c"))
    assert store.has_own("own-a")
    assert not store.has_own("own-z")
    assert store.all_image_ids() == {"id-a", "id-c"}


def test_forgotten_records_are_gone_with_their_exports(store: RecordStore) -> None:
    for key in "abc":
        store.put(record(key))
    store.forget(["a", "c", "gone"])
    assert list(store.records()) == [record("b")]
    store.put(record("a", exports=()))
    assert store.get("a") == record("a", exports=())


def test_an_export_is_added_to_a_record_that_is_there(store: RecordStore) -> None:
    store.put(record("a"))
    store.add_export("a", "s2", "new")
    store.add_export("a", "s3", "d3")
    store.add_export("gone", "s", "d")
    assert store.get("a") == record("a", exports=(("s1", "d1"), ("s2", "new"), ("s3", "d3")))
    store.put(record("gone", exports=()))
    assert store.get("gone") == record("gone", exports=())


def test_trees_come_back(store: RecordStore) -> None:
    listing = b"100644 a\0" * 10_000
    store.save_tree("t", listing)
    store.save_tree("t", listing)
    assert store.tree("t") == listing
    assert store.tree("other") is None


def test_an_order_is_unfinished_until_its_record_is_put(store: RecordStore) -> None:
    store.begin("a", ("api:1", "api:latest"))
    store.begin("b", ())
    assert [(order.key, order.names) for order in store.unfinished()] == [("a", ("api:1", "api:latest")), ("b", ())]
    store.put(record("a"))
    assert [order.key for order in store.unfinished()] == ["b"]
    store.clear_unfinished()
    assert store.unfinished() == ()


def test_memory_keeps_texts_and_serves_several_threads(store: RecordStore) -> None:
    assert store.memory.get("probe") is None

    def remember(number: int) -> None:
        store.memory.set("probe", "crun")
        store.memory.set(f"base-{number}", "x")
        store.add_export("a", f"t{number}", "d")

    store.put(record("a"))
    threads = [threading.Thread(target=remember, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.memory.get("probe") == "crun"
    found = store.get("a")
    assert found is not None
    assert len(found.exports) == 10


def test_runs_are_kept(store: RecordStore) -> None:
    store.add_run("r1", "zbuild build \udcff", 5.0)
    store.add_run("r2", "zbuild build b", 6.0)
    store.finish_run("r1", "done", '{"images":[]}')
    first, second = store.runs()
    assert (first[0], first[2], first[4], first[5]) == ("r1", 5.0, "done", '{"images":[]}')
    assert first[3] is not None
    assert second == ("r2", "zbuild build b", 6.0, None, None, None)


def test_a_reader_beside_a_writer_sees_what_is_committed(folder: StateFolder, store: RecordStore) -> None:
    with RecordStore.open(folder, no_notice) as reader:
        store.put(record("a"))
        assert reader.get("a") == record("a")


def test_commits_are_synced(store: RecordStore) -> None:
    connection = store._database._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("damage", ["garbage", "cut", "foreign", "pages"])
def test_a_damaged_file_is_set_aside_and_made_anew(folder: StateFolder, damage: str) -> None:
    path = folder.database
    with RecordStore.open(folder, no_notice) as store:
        for number in range(200):
            store.put(record(f"k{number}"))
    data = path.read_bytes()
    if damage == "garbage":
        path.write_bytes(os.urandom(5000))
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "pages":
        path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    else:
        path.unlink()
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE records (x)")
        other.close()
    broken = path.read_bytes()
    notices: list[str] = []
    with RecordStore.open(folder, notices.append) as store:
        assert list(store.records()) == []
        store.put(record("a"))
    assert len(notices) == 1
    assert "state.db.bak" in notices[0]
    assert path.with_name("state.db.bak").read_bytes() == broken
    with RecordStore.open(folder, no_notice) as store:
        assert store.get("a") == record("a")


def test_an_empty_file_is_filled_without_a_word(folder: StateFolder) -> None:
    folder.database.write_bytes(b"")
    with RecordStore.open(folder, no_notice) as store:
        assert list(store.records()) == []


def test_a_newer_schema_is_refused_untouched(folder: StateFolder) -> None:
    with RecordStore.open(folder, no_notice) as store:
        store.put(record("a"))
    with sqlite3.connect(folder.database) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    with pytest.raises(StateError) as caught:
        RecordStore.open(folder, no_notice)
    assert caught.value.code == "state-newer"
    assert caught.value.hint
    assert before == {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}


def test_damage_while_open_is_a_state_error(folder: StateFolder) -> None:
    with RecordStore.open(folder, no_notice) as store:
        for number in range(50):
            store.put(record(f"k{number}"))
    store = RecordStore.open(folder, no_notice)
    store._database._connection.execute("PRAGMA shrink_memory")  # else it reads from its own
    data = folder.database.read_bytes()
    folder.database.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises(StateError) as caught:
        list(store.records())
    assert caught.value.code == "state-damaged"
    store.close()


def test_a_folder_in_its_place_is_a_state_error(folder: StateFolder) -> None:
    folder.database.mkdir()
    with pytest.raises(StateError, match=r"state\.db"):
        RecordStore.open(folder, no_notice)


def test_processes_that_open_it_at_once_make_it_once(folder: StateFolder) -> None:
    stores: list[RecordStore] = []
    threads = [threading.Thread(target=lambda: stores.append(RecordStore.open(folder, no_notice))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stores[0].put(record("a"))
    assert [store.get("a") for store in stores] == [record("a")] * 8
    for store in stores:
        store.close()
