"""The index against real files: it must see every change, and read nothing twice."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from zbuild.base.errors import StateError
from zbuild.model.steps import Selection
from zbuild.plan import contents
from zbuild.plan.fingerprint import hash_file
from zbuild.plan.sources import SelectionError, stamp_of
from zbuild.plan.statindex import StatIndex

ALL = Selection((".",))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "context"
    (folder / "src").mkdir(parents=True)
    (folder / "src/a").write_text("one")
    (folder / "b").write_text("two")
    settle()
    return folder


@pytest.fixture
def read(monkeypatch):
    """The files that are read, in order."""
    paths: list[str] = []

    def hash_and_note(path, algorithm):
        paths.append(Path(os.fsdecode(path)).name)
        return hash_file(path, algorithm)

    monkeypatch.setattr(contents, "hash_file", hash_and_note)
    return paths


def settle():
    """Let the file system's clock move on, so that what was written is no longer racy."""
    time.sleep(0.02)


def opened(root):
    return StatIndex(os.fsencode(root), root.parent / "stat" / "context.stat")


def digested(root, selection=ALL, ignore=()):
    """Digest with an index of its own, as the next run would."""
    index = opened(root)
    tree = index.digest(selection, ignore)
    index.save()
    return tree.digest


def test_unchanged_files_are_read_once(root, read):
    first = digested(root)
    assert sorted(read) == ["a", "b"]
    read.clear()
    assert digested(root) == first
    assert read == []


def test_selections_share_what_was_read(root, read):
    index = opened(root)
    index.digest(Selection(("src",)))
    index.digest(ALL)
    assert sorted(read) == ["a", "b"]


def test_only_the_changed_file_is_read(root, read):
    first = digested(root)
    read.clear()
    (root / "b").write_text("TWO")
    assert digested(root) != first
    assert read == ["b"]


def test_a_touched_file_is_read_and_found_equal(root, read):
    first = digested(root)
    read.clear()
    os.utime(root / "b")
    assert digested(root) == first
    assert read == ["b"]


def test_a_forged_mtime_does_not_deceive(root):
    first = digested(root)
    before = (root / "b").stat()
    (root / "b").write_text("2wo")
    os.utime(root / "b", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digested(root) != first


def test_a_replaced_file_with_equal_size_and_mtime_is_seen(root):
    first = digested(root)
    before = (root / "b").stat()
    (root / "new").write_text("2wo")
    os.utime(root / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (root / "new").rename(root / "b")
    assert digested(root) != first


def test_an_edit_within_the_same_tick_is_seen(root):
    for number in range(20):
        (root / "b").write_text(f"{number:03}")
        first = digested(root)
        (root / "b").write_text(f"{number + 500}")
        assert digested(root) != first


def test_a_file_from_the_future_is_never_remembered(root, read):
    """As after the clock was set back: the file's ctime is not older than the scan."""
    index = contents.Contents(os.fsencode(root), root.parent / "c.stat")
    stamp = stamp_of((root / "b").stat())
    scan = contents.Moment(0, stamp[2])
    for _ in range(2):
        assert index.digest(b"b", stamp, scan)[1]
    assert read == ["b", "b"]
    index.digest(b"b", stamp, contents.Moment(0, stamp[2] + 1))
    index.digest(b"b", stamp, scan)
    assert read == ["b", "b", "b"]


def test_an_mtime_in_the_future_is_no_reason_to_read_again(root, read):
    os.utime(root / "b", (4e9, 4e9))
    settle()
    first = digested(root)
    read.clear()
    assert digested(root) == first
    assert read == []


def test_a_tree_on_another_file_system_is_read_each_time(tmp_path, read):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        Path(other, "file").write_text("x")
        settle()
        index = StatIndex(os.fsencode(other), tmp_path / "c.stat")
        first = index.digest(ALL)
        assert index.digest(ALL) == first
        assert read == ["file", "file"]


@pytest.mark.parametrize("damage", [b"", b"junk", b"zbuild contents 1\n" + b"\0" * 40])
def test_a_damaged_index_is_an_empty_one(root, read, damage):
    first = digested(root)
    file = root.parent / "stat" / "context.stat"
    file.write_bytes(damage or file.read_bytes()[:-1])
    read.clear()
    assert digested(root) == first
    assert sorted(read) == ["a", "b"]


def test_a_watch_file_is_no_index(root, read):
    index = opened(root)
    first = index.digest(ALL)
    index.save().replace(root.parent / "stat" / "context.stat")
    read.clear()
    assert digested(root) == first.digest
    assert sorted(read) == ["a", "b"]


def test_files_that_are_asked_for_no_more_are_forgotten(root):
    for number in range(1100):
        (root / "src" / f"{number}").touch()
    settle()
    digested(root)
    size = (root.parent / "stat" / "context.stat").stat().st_size
    (root / "b").write_text("changed")
    settle()
    digested(root, Selection(("b",)))
    assert (root.parent / "stat" / "context.stat").stat().st_size < size / 100


def test_nothing_learned_nothing_written(root):
    digested(root)
    before = {path.name: path.stat().st_ino for path in (root.parent / "stat").iterdir()}
    digested(root)
    assert {path.name: path.stat().st_ino for path in (root.parent / "stat").iterdir()} == before


def test_errors_of_the_selection_come_through(root):
    with pytest.raises(SelectionError, match="is not there"):
        digested(root, Selection(("none",)))


def test_what_cannot_be_read_is_told(root, monkeypatch):
    """Paths beyond the system's limit are such; here one file, then a whole folder."""
    monkeypatch.chdir(root)
    while len(os.fsencode(Path.cwd())) + 251 < os.pathconf("/", "PC_PATH_MAX"):
        os.mkdir("n" * 250)  # noqa: PTH102 - a Path would be too long to be made absolute
        os.chdir("n" * 250)
    Path("f" * 250).touch()
    with pytest.raises(SelectionError, match=r"cannot read .*: File name too long"):
        digested(root)


def test_a_folder_that_cannot_be_written_is_told(root):
    (root.parent / "stat").write_text("in the way")
    with pytest.raises(StateError, match="cannot write") as caught:
        digested(root)
    assert caught.value.code == "stat-index"
