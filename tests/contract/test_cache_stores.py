"""What every remote cache does: a folder, a bucket, a repository."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from support.lab import DictMemory
from support.s3_server import BUCKET, run_s3

from zbuild.api.registries import open_registry
from zbuild.base.errors import RegistryError
from zbuild.cache.folder import FolderStore
from zbuild.cache.protocol import MissingLayerError, PackedLayer
from zbuild.cache.registry import RegistryStore
from zbuild.cache.s3 import S3Store
from zbuild.model.caches import CachePlace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from zbuild.cache.protocol import RemoteStore

KEY, OTHER = "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_s3(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(params=["folder", *(pytest.param(kind, marks=pytest.mark.integration) for kind in ("s3", "registry"))])
def opener(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], RemoteStore]:
    """A function that opens the same place, as each machine does."""
    if request.param == "folder":
        return lambda: FolderStore(tmp_path / "cache")
    if request.param == "s3":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        endpoint = request.getfixturevalue("s3")
        return lambda: S3Store(CachePlace("s3", BUCKET, tmp_path.name, "us-east-1", endpoint))
    address = request.getfixturevalue("registry")
    return lambda: RegistryStore(f"{address}/{tmp_path.name.lower()}/cache", open_registry(), DictMemory())


@pytest.fixture
def store(opener: Callable[[], RemoteStore]) -> Iterator[RemoteStore]:
    opened = opener()
    yield opened
    opened.close()


def _layer(folder: Path, content: bytes) -> PackedLayer:
    file = folder / "packed"
    file.write_bytes(content)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return PackedLayer(f"sha256:{hashlib.sha256(b'tar of ' + content).hexdigest()}", file, digest, len(content))


def test_an_empty_place_has_nothing(store: RemoteStore) -> None:
    assert store.read_record(KEY) is None
    assert not store.has_layer(f"sha256:{KEY}")
    with pytest.raises(MissingLayerError):
        list(store.read_layer(f"sha256:{KEY}"))


def test_what_is_written_is_there_for_others(
    store: RemoteStore, opener: Callable[[], RemoteStore], tmp_path: Path
) -> None:
    layer = _layer(tmp_path, b"content" * 100_000)
    store.write_layer(layer)
    assert store.has_layer(layer.diff_id)
    store.write_record(KEY, b"record", [layer.diff_id], replace=False)
    other = opener()
    assert other.read_record(KEY) == b"record"
    assert b"".join(other.read_layer(layer.diff_id)) == b"content" * 100_000
    assert other.read_record(OTHER) is None
    other.close()


def test_the_first_writer_stays_unless_it_is_to_be_replaced(store: RemoteStore) -> None:
    store.write_record(KEY, b"first", [], replace=False)
    store.write_record(KEY, b"second", [], replace=False)
    assert store.read_record(KEY) == b"first"
    store.write_record(KEY, b"third", [], replace=True)
    assert store.read_record(KEY) == b"third"


def test_a_layer_can_be_written_twice(store: RemoteStore, tmp_path: Path) -> None:
    layer = _layer(tmp_path, b"once")
    store.write_layer(layer)
    store.write_layer(layer)
    store.write_record(KEY, b"record", [layer.diff_id], replace=False)
    assert b"".join(store.read_layer(layer.diff_id)) == b"once"


def test_large_layers_come_back_whole(store: RemoteStore, tmp_path: Path) -> None:
    content = bytes(range(256)) * 60_000
    layer = _layer(tmp_path, content)
    store.write_layer(layer)
    store.write_record(KEY, b"record", [layer.diff_id], replace=False)
    assert b"".join(store.read_layer(layer.diff_id)) == content


@pytest.mark.parametrize("kind", ["folder", pytest.param("s3", marks=pytest.mark.integration)])
def test_items_are_listed_and_removed(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if kind == "s3":
        monkeypatch = request.getfixturevalue("monkeypatch")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        store: FolderStore | S3Store = S3Store(
            CachePlace("s3", BUCKET, tmp_path.name, "us-east-1", request.getfixturevalue("s3"))
        )
    else:
        store = FolderStore(tmp_path / "cache")
    layer = _layer(tmp_path, b"content")
    store.write_layer(layer)
    store.write_record(KEY, b"record", [layer.diff_id], replace=False)
    items = {item.kind: item for item in store.items()}
    assert {kind: (item.name, item.size) for kind, item in items.items()} == {
        "record": (KEY, 6),
        "layer": (layer.diff_id, 7),
    }
    for item in items.values():
        store.remove(item)
        store.remove(item)
    assert list(store.items()) == []


@pytest.mark.integration
def test_a_bucket_that_is_not_there_is_told(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    store = S3Store(CachePlace("s3", "nowhere", "p", "us-east-1", s3))
    for use in (lambda: list(store.items()), lambda: store.read_record(KEY)):
        with pytest.raises(RegistryError) as raised:
            use()
        assert raised.value.message.endswith(f"the cache s3://nowhere/p: there is no bucket nowhere at {s3}")
