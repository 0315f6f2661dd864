"""`check` may say "unchanged" only when a digest would come out the same."""

from __future__ import annotations

import ast
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from zbuild.model.steps import Selection
from zbuild.plan import quickcheck
from zbuild.plan.quickcheck import check
from zbuild.plan.sources import SelectionError
from zbuild.plan.statindex import StatIndex

ALL = Selection((".",))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "context"
    for name in ("src/a", "src/deep/b", "skipped/c", "d"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "link").symlink_to("src")
    settle()
    return folder


def settle():
    """Let the file system's clock move on, so that what was written is no longer racy."""
    time.sleep(0.02)


def watched(root, *selections, ignore=()):
    index = StatIndex(os.fsencode(root), root.parent / "stat" / "context.stat")
    for selection in selections:
        index.digest(selection, ignore)
    return index.save()


def replace_folder(root):
    (root / "src").rename(root.parent / "old")
    (root.parent / "old").rename(root / "src2")
    (root / "src").symlink_to("src2")


def test_nothing_changed(root):
    assert check(watched(root, ALL))


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "src/a").write_text("A"),
        lambda root: (root / "src/a").chmod(0o600),
        lambda root: (root / "src/deep").chmod(0o700),
        lambda root: (root / "src/a").unlink(),
        lambda root: (root / "src/new").touch(),
        lambda root: (root / "src/deep/new").mkdir(),
        lambda root: (root / "src/a").rename(root / "src/z"),
        lambda root: (root / "link").unlink(),
        lambda root: os.utime(root / "d"),
        replace_folder,
    ],
)
def test_changes_show(root, change):
    watch = watched(root, ALL)
    change(root)
    assert not check(watch)


def test_what_is_ignored_or_not_asked_for_does_not_count(root):
    watch = watched(root, Selection(("src", "d")), ignore=("skipped", "src/deep/*.o"))
    (root / "skipped/c").write_text("C")
    (root / "other").mkdir()
    (root / "link").unlink()
    assert check(watch)


def test_a_folder_that_a_wildcard_was_looked_up_in_counts(root):
    watch = watched(root, Selection(("*.c", "src/*")))
    (root / "new.c").touch()
    assert not check(watch)


def test_a_name_that_was_not_there_counts(root):
    (root / "src/package.json").touch()
    settle()
    watch = watched(root, Selection(("*/package.json",)))
    assert check(watch)
    (root / "skipped/package.json").touch()
    assert not check(watch)


def test_a_link_on_the_way_counts(root):
    watch = watched(root, Selection(("link/a",)))
    assert check(watch)
    (root / "skipped/a").write_text("another")
    (root / "link").unlink()
    (root / "link").symlink_to("skipped")
    assert not check(watch)


def test_parent_folders_that_land_count(root):
    watch = watched(root, Selection(("src/deep/b",), parents=True))
    (root / "src").chmod(0o700)
    assert not check(watch)


def test_a_racy_result_is_not_vouched_for(root):
    for number in range(5):
        (root / "d").write_text(f"{number}")
        watch = watched(root, ALL)
        racy = not watch.exists()
        settle()
        assert check(watched(root, ALL))
        if racy:
            break


def test_a_result_on_another_file_system_is_not_vouched_for(tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        settle()
        index = StatIndex(os.fsencode(other), tmp_path / "context.stat")
        index.digest(ALL)
        assert not check(index.save())


def test_results_of_different_times_do_not_vouch_for_each_other(root):
    index = StatIndex(os.fsencode(root), root.parent / "stat" / "context.stat")
    index.digest(ALL)
    (root / "src/a").write_text("changed in between")
    settle()
    index.digest(Selection(("src",)))
    assert not check(index.save())


def test_a_selection_that_changed_during_the_run_is_not_vouched_for(root):
    index = StatIndex(os.fsencode(root), root.parent / "stat" / "context.stat")
    index.digest(ALL)
    (root / "src/a").write_text("changed while something was built from it")
    settle()
    index.digest(ALL)
    assert not check(index.save())


def test_another_command_does_not_refresh_a_watch(root):
    first = watched(root, ALL)
    (root / "src/a").write_text("changed")
    settle()
    second = watched(root, ALL)
    assert check(second)
    assert not check(first)


def test_equal_content_refreshes_the_watch(root):
    first = watched(root, ALL)
    os.utime(root / "d")
    settle()
    assert not check(first)
    assert watched(root, ALL) == first
    assert check(first)


def test_old_watch_files_are_dropped(root):
    for number in range(40):
        watch = watched(root, Selection(("src",), exclude=(f"x{number}",)))
    assert len(list(watch.parent.glob("*.watch"))) == 32
    assert check(watch)


def test_the_working_folder_is_kept(root, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    watch = watched(root, ALL)
    assert check(watch)
    assert Path.cwd() == tmp_path
    (root / "src/a").unlink()
    assert not check(watch)
    assert Path.cwd() == tmp_path


def test_a_removed_root_is_a_change(root):
    watch = watched(root, ALL)
    root.rename(root.parent / "gone")
    assert not check(watch)


@pytest.mark.parametrize("data", [b"", b"junk", b"zbuild watch 1\n", b"zbuild watch 1\n" + b"\0" * 64])
def test_a_damaged_or_foreign_file_vouches_for_nothing(root, data):
    watch = watched(root, ALL)
    watch.write_bytes(data)
    assert not check(watch)
    watch.unlink()
    assert not check(watch)
    assert not check(root)
    assert not check(root.parent / "stat" / "context.stat")


def test_every_cut_of_a_watch_file_is_noticed(root):
    watch = watched(root, ALL)
    data = watch.read_bytes()
    for length in range(len(data)):
        watch.write_bytes(data[:length])
        assert not check(watch)


def test_quickcheck_imports_next_to_nothing():
    tree = ast.parse(Path(quickcheck.__file__).read_text())
    at_run_time = [node for node in tree.body if not isinstance(node, ast.If)]
    imported = set()
    for node in (inner for outer in at_run_time for inner in ast.walk(outer)):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert imported == {"__future__", "os", "zbuild.base.sealed"}
    assert set(vars(quickcheck)) & set(sys.stdlib_module_names) == {"os"}


def test_a_selection_that_cannot_be_taken_is_never_vouched_for(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    index = StatIndex(os.fsencode(root), tmp_path / "x.stat")
    with pytest.raises(SelectionError):
        index.digest(Selection(("missing",)))
    assert not check(index.save())
