"""The parts of remote caches: what is packed and unpacked, kept and pruned, waited for and broken off."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from zbuild.base.errors import InterruptedBuildError, RegistryError
from zbuild.cache.aws_config import aws_settings
from zbuild.cache.entry import EntryError, decode_entry
from zbuild.cache.folder import FolderStore
from zbuild.cache.guarded import GuardedStore
from zbuild.cache.packing import pack, unpack
from zbuild.cache.policy import Allowed, prune
from zbuild.cache.transfers import Transfers
from zbuild.model.caches import CachePlace
from zbuild.syntax.cache_places import parse_cache_place

if TYPE_CHECKING:
    from pathlib import Path


def _check() -> None:
    """Let everything go on."""


def _packed(folder: Path, content: bytes) -> tuple[str, bytes]:
    (folder / "tar").write_bytes(content)
    diff_id = f"sha256:{hashlib.sha256(content).hexdigest()}"
    layer = pack(diff_id, folder / "tar", folder / "packed", _check)
    data = (folder / "packed").read_bytes()
    assert (layer.size, layer.digest) == (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
    return diff_id, data


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 20_000])
def test_layers_are_unpacked_as_they_were(tmp_path: Path, content: bytes) -> None:
    diff_id, data = _packed(tmp_path, content)
    chunks = (data[at : at + 1000] for at in range(0, len(data), 1000))
    unpack(chunks, diff_id, len(content), tmp_path / "out", _check)
    assert (tmp_path / "out").read_bytes() == content


def test_a_layer_is_unpacked_no_further_than_it_should_be(tmp_path: Path) -> None:
    diff_id, data = _packed(tmp_path, bytes(50_000_000))
    assert len(data) < 10_000
    with pytest.raises(EntryError, match="larger than its record says"):
        unpack(iter([data]), diff_id, 1000, tmp_path / "out", _check)
    assert (tmp_path / "out").stat().st_size <= 1000


@pytest.mark.parametrize("data", [b"", b"no zstd at all", b"\x28\xb5\x2f\xfd"])
def test_what_is_no_layer_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(EntryError):
        unpack(iter([data]), f"sha256:{'a' * 64}", 10, tmp_path / "out", _check)


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[" * 100_000, b"\xff\xfe", bytes(17 << 20)])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    sealed = hashlib.sha256(data).hexdigest().encode() + b"\n" + data
    for attempt in (data, sealed):
        with pytest.raises(EntryError):
            decode_entry(attempt, "a" * 64)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("./cache", CachePlace("folder", "/work/cache")),
        ("../cache/", CachePlace("folder", "/cache")),
        ("/srv/cache", CachePlace("folder", "/srv/cache")),
        ("s3://bucket", CachePlace("s3", "bucket")),
        ("s3://bucket/a/b/", CachePlace("s3", "bucket", "a/b")),
        (
            "s3://b/p?region=eu&endpoint=http://127.0.0.1:9000/",
            CachePlace("s3", "b", "p", "eu", "http://127.0.0.1:9000"),
        ),
        ("registry.example.com/team/cache", CachePlace("registry", "registry.example.com/team/cache")),
        ("localhost:5000/cache", CachePlace("registry", "localhost:5000/cache")),
    ],
)
def test_places_are_read(text: str, place: CachePlace) -> None:
    assert parse_cache_place(text, "/work") == place


@pytest.mark.parametrize("text", ["", "cache", "s3://", "s3:///x", "s3://me:pw@b/x", "r.example/a@sha256:1", "A B"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'"):
        parse_cache_place(text, "/work")


def test_settings_of_awss_files(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nregion = here\n[profile p]\nregion = there\nrole_arn = x\n")
    (tmp_path / ".aws/credentials").write_text("[p]\naws_access_key_id = id%\naws_secret_access_key = key\n")
    home = {"HOME": str(tmp_path)}
    assert aws_settings(home) == {"region": "here"}
    found = aws_settings({**home, "AWS_PROFILE": "p"})
    assert found == {"region": "there", "access_key_id": "id%", "secret_access_key": "key"}
    given = {**home, "AWS_PROFILE": "p", "AWS_ACCESS_KEY_ID": "mine", "AWS_REGION": "elsewhere"}
    assert aws_settings(given) == {}
    (tmp_path / ".aws/config").write_text("no configuration")
    assert aws_settings(home) == {}


def _record(store: FolderStore, key: str, layers: list[str], used: float) -> None:
    document = b'{"layers":[' + ",".join(f'["{layer}",1]' for layer in layers).encode() + b"]}"
    store.write_record(key, hashlib.sha256(document).hexdigest().encode() + b"\n" + document, layers, replace=True)
    _use(store._record(key), used)


def _layer(store: FolderStore, name: str, size: int, used: float) -> None:
    path = store._layer(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    _use(path, used)


def _use(path: Path, used: float) -> None:
    os.utime(path, (used, used))


def _names(store: FolderStore) -> set[str]:
    return {item.name[:9] for item in store.items()}


@pytest.fixture
def full(tmp_path: Path) -> FolderStore:
    """Three records, of which two share a layer, and a layer that no record needs; last used at 1, 2 and 3 o'clock."""
    store = FolderStore(tmp_path)
    for number, name in enumerate(("a", "b", "c"), 1):
        _layer(store, f"sha256:{name * 64}", 1000, number * 3600.0)
    _layer(store, f"sha256:{'d' * 64}", 1000, 3600.0)
    _record(store, "1" * 64, [f"sha256:{'a' * 64}"], 3600.0)
    _record(store, "2" * 64, [f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"], 7200.0)
    _record(store, "3" * 64, [f"sha256:{'c' * 64}"], 10800.0)
    return store


def test_what_no_record_needs_goes_when_it_is_old_enough(full: FolderStore) -> None:
    assert prune(full, Allowed(), 2 * 3600.0).gone.layers == 0
    assert prune(full, Allowed(), 10 * 3600.0).gone.layers == 1
    assert "sha256:dd" not in _names(full)


def test_what_was_not_used_for_long_goes(full: FolderStore) -> None:
    removed = prune(full, Allowed(ttl=2.5 * 3600), 5 * 3600.0).gone
    assert (removed.records, removed.layers) == (2, 3)
    assert _names(full) == {"3" * 9, "sha256:cc"}


def test_what_was_used_last_stays_within_the_size(full: FolderStore) -> None:
    prune(full, Allowed(max_size=3500), 10 * 3600.0)
    assert _names(full) == {"2" * 9, "3" * 9, "sha256:aa", "sha256:bb", "sha256:cc"}
    prune(full, Allowed(max_size=1500), 10 * 3600.0)
    assert _names(full) == {"3" * 9, "sha256:cc"}


def test_records_stay_for_as_long_as_their_layers_must(full: FolderStore) -> None:
    before = _names(full)
    at = 3.5 * 3600.0
    young = prune(full, Allowed(max_size=1), at, dry_run=True).waiting
    assert (young.records, young.layers) == (1, 1)
    for item in full.items():
        _use(full._path(item), at)
    for allowed in (Allowed(max_size=1), Allowed(ttl=60.0)):
        removal = prune(full, allowed, at + 600)
        assert (removal.gone.size, removal.waiting.records, removal.waiting.layers) == (0, 3, 4)
        assert _names(full) == before
    assert prune(full, Allowed(max_size=1), at + 3601).gone.records == 3
    assert _names(full) == set()


def test_a_look_is_no_use_of_records(full: FolderStore) -> None:
    before = {item.name: item.used for item in full.items()}
    prune(full, Allowed(max_size=1 << 30), 1.5 * 3600.0)
    assert {item.name: item.used for item in full.items()} == before


def test_a_record_goes_when_a_layer_goes_with_it(full: FolderStore) -> None:
    _use(full._layer(f"sha256:{'b' * 64}"), 10 * 3600.0)
    assert prune(full, Allowed(max_size=1), 10 * 3600.0).gone.records == 3
    assert _names(full) == {"sha256:bb"}


def test_files_that_no_cache_wrote_are_left_alone(full: FolderStore, tmp_path: Path) -> None:
    for name in ("src/app/main.py", "layers/aa/notes.txt", ".git/hooks/.x.tmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
        _use(tmp_path / name, 0.0)
    prune(full, Allowed(max_size=1), 10 * 3600.0)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3


def test_a_look_removes_nothing(full: FolderStore) -> None:
    before = _names(full)
    assert prune(full, Allowed(max_size=1), 10 * 3600.0, dry_run=True).gone.records == 3
    assert _names(full) == before


def test_what_a_killed_writer_left_goes(full: FolderStore) -> None:
    left = full._layer(f"sha256:{'a' * 64}").parent / ".x.tar.zst.1-2.tmp"
    left.write_bytes(b"half")
    _use(left, 0.0)
    prune(full, Allowed(), 5 * 3600.0)
    assert not left.exists()


def test_who_waits_goes_on_when_all_is_cancelled() -> None:
    transfers = Transfers(1)
    hung = threading.Event()
    future = transfers.submit(lambda: hung.wait(60))
    threading.Timer(0.05, transfers.cancel).start()
    started = time.monotonic()
    with pytest.raises(InterruptedBuildError):
        transfers.result(future)
    with pytest.raises(InterruptedBuildError):
        transfers.finish([future], 60)
    assert time.monotonic() - started < 5
    hung.set()


def test_results_and_errors_come_back() -> None:
    transfers = Transfers(2)

    def fail() -> None:
        raise RegistryError("cache-failed", "no")

    futures = [transfers.submit(lambda number=number: number * 2) for number in range(5)]
    assert [transfers.result(future) for future in futures] == [0, 2, 4, 6, 8]
    with pytest.raises(RegistryError):
        transfers.result(transfers.submit(fail))
    assert transfers.finish([], 1) == 0


def test_what_is_not_done_in_time_is_counted() -> None:
    transfers = Transfers(1)
    hung = threading.Event()
    futures = [transfers.submit(lambda: hung.wait(60)) for _ in range(3)]
    assert transfers.finish(futures, 0.05) == 3
    hung.set()
    assert transfers.finish(futures, 10) == 0


def test_a_store_that_failed_is_let_be(tmp_path: Path) -> None:
    told: list[str] = []
    made: list[int] = []

    def make() -> FolderStore:
        made.append(1)
        (tmp_path / "file").write_text("")
        return FolderStore(tmp_path / "file")

    guarded = GuardedStore("there", make, told.append)
    assert (made, guarded.works) == ([], True)
    guarded.write_record("a" * 64, b"", [], replace=False)
    assert guarded.read_record("a" * 64) is None
    assert guarded.has_layer(f"sha256:{'a' * 64}")  # nothing needs to be brought
    assert (len(made), len(told), guarded.works) == (1, 1, False)
