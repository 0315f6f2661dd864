from __future__ import annotations

import os
import stat

import pytest

from zbuild.model.steps import Selection
from zbuild.plan.ignore import Ignore
from zbuild.plan.sources import Seen
from zbuild.plan.tree import select


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    for name in ("src/main.c", "src/deep/x.txt", "src/deep/er/y.txt", "docs/a.md", "package.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "empty").mkdir()
    return root


def landed(root, *sources, ignore=(), **options):
    found = select(os.fsencode(root), Selection(sources, **options), Ignore(ignore) if ignore else None)
    return [os.fsdecode(entry.path) for entry in found]


def test_a_folder_lands_its_content_in_order(tree):
    assert landed(tree, "src") == ["deep", "main.c", "deep/er", "deep/x.txt", "deep/er/y.txt"]
    assert landed(tree, "src/") == landed(tree, "./src") == landed(tree, "/src") == landed(tree, "src")
    assert landed(tree, "empty") == []


def test_the_root_itself_can_be_taken(tree):
    for source in (".", "/", "./", ".."):
        assert landed(tree, source)[:4] == ["docs", "empty", "package.json", "src"]


def test_a_file_lands_under_its_name_or_takes_the_destinations(tree):
    (entry,) = select(os.fsencode(tree), Selection(("src/main.c",)))
    assert (entry.path, entry.source, entry.kind, entry.top) == (b"main.c", b"src/main.c", "file", True)
    assert not any(entry.top for entry in select(os.fsencode(tree), Selection(("src",))))


def test_entries_carry_what_a_copy_needs(tree):
    (tree / "src/main.c").chmod(0o4751)
    (entry,) = select(os.fsencode(tree), Selection(("src/main.c",)))
    info = (tree / "src/main.c").stat()
    assert (entry.mode, entry.size, entry.target, entry.rdev) == (0o4751, len("src/main.c"), b"", 0)
    assert (entry.uid, entry.gid) == (info.st_uid, info.st_gid)
    assert entry.stamp == (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)


def test_dots_cannot_leave_the_root(tree):
    assert landed(tree, "../../root/../src/main.c") == landed(tree, "src/main.c")
    assert landed(tree, "/../../src/*.c") == ["main.c"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("src/*.c", ["main.c"]),
        ("*/*.md", ["a.md"]),
        ("s[a-r]c/m??n.c", ["main.c"]),
        ("d*", ["a.md"]),
        ("src/d*/*", ["y.txt", "x.txt"]),
        ("src/**/x.txt", ["x.txt"]),
        ("*/main.c", ["main.c"]),
        ("[p]ackage.json", ["package.json"]),
    ],
)
def test_wildcards(tree, pattern, expected):
    assert landed(tree, pattern) == expected


def test_a_wildcard_may_match_nothing_beside_another_source(tree):
    assert landed(tree, "package.json", "package-lock.json*") == ["package.json"]


def test_sources_land_in_the_order_written(tree):
    assert landed(tree, "src/main.c", "docs", "package.json") == ["main.c", "a.md", "package.json"]


def test_links_named_as_sources_are_followed_within_the_root(tree):
    (tree / "relative").symlink_to("src/deep")
    (tree / "absolute").symlink_to("/src/main.c")
    (tree / "src/up").symlink_to("../../../docs/a.md")
    (tree / "chain").symlink_to("relative/er")
    assert landed(tree, "relative") == landed(tree, "src/deep")
    assert landed(tree, "absolute") == ["absolute"]
    assert landed(tree, "src/up") == ["up"]
    assert landed(tree, "chain/y.txt") == ["y.txt"]
    (entry,) = select(os.fsencode(tree), Selection(("absolute",)))
    assert (entry.kind, entry.source) == ("file", b"src/main.c")


def test_links_inside_trees_stay_links(tree):
    (tree / "src/out").symlink_to("/etc/passwd")
    (tree / "src/folder").symlink_to("deep")
    links = {e.path: e.target for e in select(os.fsencode(tree), Selection(("src",))) if e.kind == "link"}
    assert links == {b"out": b"/etc/passwd", b"folder": b"deep"}


def test_fifos_are_listed_and_sockets_dropped(tree):
    os.mkfifo(tree / "src/pipe")
    os.mknod(tree / "src/socket", stat.S_IFSOCK | 0o600)
    kinds = {entry.path: entry.kind for entry in select(os.fsencode(tree), Selection(("src",)))}
    assert kinds[b"pipe"] == "fifo"
    assert b"socket" not in kinds


def test_names_are_bytes(tree):
    name = b"\xff odd\nname"
    (tree / "odd").mkdir()
    (tree / "odd" / os.fsdecode(name)).touch()
    (entry,) = select(os.fsencode(tree), Selection(("odd",)))
    assert entry.path == name
    (entry,) = select(os.fsencode(tree), Selection((f"odd/{os.fsdecode(name)}",)))
    assert entry.top


@pytest.mark.parametrize(
    ("ignore", "source", "expected"),
    [
        (["src"], ".", ["docs", "empty", "package.json", "docs/a.md"]),
        (["**/*.txt"], "src", ["deep", "main.c", "deep/er"]),
        (["*", "!src/deep/er"], ".", ["src", "src/deep", "src/deep/er", "src/deep/er/y.txt"]),
        (["*", "!src/deep/er"], "src", ["deep", "deep/er", "deep/er/y.txt"]),
        (["*", "!src/deep/none"], ".", []),
        (["*", "!src/*.c"], "src/*", ["main.c"]),
        (["docs"], "d*/*.md", None),
        (["src/deep"], "src/deep/x.txt", None),
    ],
)
def test_ignored_files_do_not_land(tree, ignore, source, expected):
    if expected is None:
        with pytest.raises(ValueError, match="left out by the ignore file"):
            landed(tree, source, ignore=ignore)
    else:
        assert landed(tree, source, ignore=ignore) == expected


def test_a_link_to_an_ignored_file_is_ignored(tree):
    (tree / "link").symlink_to("docs/a.md")
    with pytest.raises(ValueError, match="left out"):
        landed(tree, "link", ignore=["docs"])


def test_ignored_folders_are_not_even_listed(tree):
    seen = Seen()
    select(os.fsencode(tree), Selection((".",)), Ignore(["src", "!docs/b.md"]), seen)
    assert set(seen.folders) == {b"", b"docs", b"empty"}


@pytest.mark.parametrize(
    ("sources", "exclude", "expected"),
    [
        (["src"], ("*.c",), ["deep", "deep/er", "deep/x.txt", "deep/er/y.txt"]),
        (["src"], ("deep",), ["main.c"]),
        (["src"], ("/deep/",), ["main.c"]),
        (["src"], ("**/*.txt", "!deep/x.txt"), ["deep", "main.c", "deep/er", "deep/x.txt"]),
        (["src"], ("*", "!deep/er"), ["deep", "deep/er", "deep/er/y.txt"]),
        (["src/*", "package.json"], ("*.json",), ["er", "x.txt", "er/y.txt", "main.c"]),
    ],
)
def test_exclude_is_relative_to_each_source(tree, sources, exclude, expected):
    assert landed(tree, *sources, exclude=exclude) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("src/main.c", ["src", "src/main.c"]),
        ("./src/deep/er", ["src", "src/deep", "src/deep/er", "src/deep/er/y.txt"]),
        ("src/./deep/er", ["deep", "deep/er", "deep/er/y.txt"]),
        ("./src/./deep/*.txt", ["deep", "deep/x.txt"]),
        ("src/**/*.txt", ["src", "src/deep", "src/deep/er", "src/deep/er/y.txt", "src/deep/x.txt"]),
        ("package.json", ["package.json"]),
    ],
)
def test_parents_keeps_folders_from_the_pivot_on(tree, source, expected):
    assert landed(tree, source, parents=True) == expected


def test_parents_land_each_folder_once(tree):
    assert landed(tree, "src/deep/x.txt", "src/main.c", parents=True) == [
        "src",
        "src/deep",
        "src/deep/x.txt",
        "src/main.c",
    ]


def test_deep_trees_need_no_recursion(tmp_path):
    folder = tmp_path
    for _ in range(1200):
        folder /= "d"
        folder.mkdir()
    try:
        assert len(select(os.fsencode(tmp_path), Selection((".",)))) == 1200
    finally:  # pytest's own cleaning is recursive
        while folder != tmp_path:
            folder.rmdir()
            folder = folder.parent
