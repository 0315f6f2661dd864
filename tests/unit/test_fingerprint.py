from __future__ import annotations

import os
import threading

import pytest
import xxhash

from zbuild.model.steps import Selection
from zbuild.plan.fingerprint import diff_listings, digest_entries, digest_tree, hash_file
from zbuild.plan.sources import stamp_of
from zbuild.plan.tree import select

ALL = Selection((".",))


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub/file").write_text("content")
    (root / "sub/link").symlink_to("file")
    return root


def digest(root, selection=ALL, *, owners=False):
    prefix = os.fsencode(root) + b"/"
    entries = select(prefix, selection)
    return digest_entries(entries, lambda entry: hash_file(prefix + entry.source).digest, owners=owners)


def rename(root):
    (root / "sub/file").rename(root / "sub/other")


def retarget(root):
    (root / "sub/link").unlink()
    (root / "sub/link").symlink_to("./file")


def to_folder(root):
    (root / "sub/file").unlink()
    (root / "sub/file").mkdir()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "sub/file").write_text("Content"),
        lambda root: (root / "sub/file").chmod(0o755),
        lambda root: (root / "sub").chmod(0o700),
        lambda root: (root / "new").mkdir(),
        lambda root: os.mkfifo(root / "pipe"),
        rename,
        retarget,
        to_folder,
    ],
)
def test_what_would_land_counts(tree, change):
    before = digest(tree)
    change(tree)
    assert digest(tree).digest != before.digest


def test_times_and_owners_do_not_count(tree):
    before = digest(tree)
    os.utime(tree / "sub/file", (1, 1))
    os.utime(tree / "sub/link", (1, 1), follow_symlinks=False)
    os.chown(tree / "sub/file", os.getuid(), os.getgid())
    assert digest(tree) == before


def test_where_the_root_lies_does_not_count(tree, tmp_path):
    before = digest(tree)
    tree.rename(tmp_path / "elsewhere")
    assert digest(tmp_path / "elsewhere") == before


def test_owners_count_where_a_copy_keeps_them(tree):
    entries = select(os.fsencode(tree), ALL)
    other = [entry._replace(uid=entry.uid + 1) for entry in entries]

    def same(_):
        return b"0" * 32

    assert digest_entries(entries, same) == digest_entries(other, same)
    assert digest_entries(entries, same, owners=True) != digest_entries(other, same, owners=True)


def test_a_file_that_takes_the_destinations_name_is_not_a_file_in_a_folder(tree):
    assert digest(tree, Selection(("sub/file",))).digest != digest(tree, Selection(("sub",), exclude=("link",))).digest


def test_devices_differ_by_number(tree):
    (entry,) = select(os.fsencode(tree), Selection(("sub/file",)))
    null, zero = (entry._replace(kind="char", rdev=os.makedev(1, minor)) for minor in (3, 5))
    assert digest_entries([null], lambda _: b"").digest != digest_entries([zero], lambda _: b"").digest


def test_diff_listings(tree):
    before = digest(tree).listing
    (tree / "sub/file").write_text("changed")
    (tree / "sub/file").chmod(0o600)
    retarget(tree)
    (tree / "new").mkdir(0o700)
    old, new = (xxhash.xxh3_128_hexdigest(text)[:12] for text in (b"content", b"changed"))
    assert diff_listings(before, digest(tree).listing) == [
        ("new", "", "dir 700"),
        ("sub/file", f"file 644 {old}", f"file 600 {new}"),
        ("sub/link", "link -> file", "link -> ./file"),
    ]


def test_diff_of_equal_and_empty_listings(tree):
    listing = digest(tree).listing
    assert diff_listings(listing, listing) == []
    assert [path for path, old, _ in diff_listings(b"", listing) if old == ""] == ["sub", "sub/file", "sub/link"]


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_hash_file_reads_everything(tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    hashed = hash_file(os.fsencode(tmp_path / "file"))
    assert hashed.digest.decode() == xxhash.xxh3_128_hexdigest(data)
    assert hashed.stamp == stamp_of((tmp_path / "file").stat())


def test_hash_file_takes_regular_files_only(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "link", "folder", "none"):
        with pytest.raises(OSError, match=name):
            hash_file(os.fsencode(tmp_path / name))


def test_a_file_that_never_stands_still_is_not_vouched_for(tmp_path):
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, 64 << 20)
    done = threading.Event()

    def disturb():
        while not done.is_set():
            os.utime(path)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        assert any(hash_file(os.fsencode(path)).stamp is None for _ in range(50))
    finally:
        done.set()
        thread.join()


def test_digest_tree_digests_each_selection_and_counts_owners(tree):
    whole, part = digest_tree(os.fsencode(tree), [ALL, Selection(("sub",))])
    assert whole == digest(tree, owners=True)
    assert part == digest(tree, Selection(("sub",)), owners=True)


def test_attributes_that_a_copy_keeps_count(tree):
    def whole():
        (found,) = digest_tree(os.fsencode(tree), [ALL])
        return found.digest

    before, in_context = whole(), digest(tree)
    os.setxattr(tree / "sub/file", "user.note", b"one")
    one = whole()
    os.setxattr(tree / "sub/file", "user.note", b"two")
    two = whole()
    os.removexattr(tree / "sub/file", "user.note")
    os.setxattr(tree / "sub/file", "trusted.note", b"one")
    assert len({before, one, two}) == 3
    assert whole() == before
    assert digest(tree) == in_context
