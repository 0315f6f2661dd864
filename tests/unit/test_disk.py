from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from zbuild.backend.cache_folders import list_caches, note_use, remove_cache
from zbuild.base.disk import parse_size, tree_size
from zbuild.base.duration import parse_age
from zbuild.base.text import age_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("512", 512), ("10B", 10), ("1k", 1000), ("1.5 kB", 1500), ("2GB", 2 * 10**9), ("2GiB", 2**31)],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1 XB", "1e9", "٣GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("90s", 90), ("1m30s", 90), ("2d", 172_800), ("1w", 604_800)])
def test_ages_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "1d12h", "-1d", "d", "3", "1.5"])
def test_what_is_no_age(text: str) -> None:
    with pytest.raises(ValueError, match="is not an age"):
        parse_age(text)


def test_ages_are_told_in_their_largest_unit() -> None:
    assert [age_text(seconds) for seconds in (-1, 59.9, 60, 7200, 86400 * 3)] == ["0 s", "59 s", "1 min", "2 h", "3 d"]


def test_a_tree_is_what_its_files_take_each_counted_once(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    empty = tree_size(tree)
    (tree / "file").write_bytes(b"x" * 100_000)
    once = tree_size(tree)
    assert 100_000 <= once - empty < 120_000
    os.link(tree / "file", tree / "folder" / "again")
    (tree / "out").symlink_to(tmp_path)
    assert tree_size(tree) - once < 20_000
    assert tree_size(tmp_path / "missing") == 0


def test_caches_are_told_by_their_ids_and_removed_whole(tmp_path: Path) -> None:
    for name in ("a1", "b2", "c3"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.lock").touch()
    note_use(tmp_path / "a1", "pip")
    note_use(tmp_path / "b2", "/root/.cache \udcff")
    (tmp_path / "a1" / "wheel").write_bytes(b"x" * 50_000)
    caches = list_caches(tmp_path)
    assert [cache.id for cache in caches] == ["/root/.cache \\udcff", "c3", "pip"]
    assert remove_cache(caches[2]) == caches[2].size >= 50_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b2", "b2.id", "b2.lock", "c3", "c3.lock"]
