"""Paths in a root folder: links are followed inside it and never out."""

from __future__ import annotations

import errno
import os
import stat
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zbuild.backend.rootfs import Attributes, Rootfs

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = Attributes(0o644)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """What must not be reached: a file beside the root."""
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("host")
    return tmp_path


@pytest.fixture
def root(host: Path) -> Iterator[Rootfs]:
    with Rootfs(os.fsencode(host / "root")) as made:
        yield made


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def put(root: Rootfs, path: bytes, text: bytes = b"x") -> None:
    root.put_file(path, BytesIO(text), PLAIN)


@pytest.mark.parametrize("target", ["/usr/lib", "usr/lib", "../../../usr/lib", "/../usr/./lib/"])
def test_links_lead_to_the_same_place_as_in_a_real_root(host: Path, root: Rootfs, target: str) -> None:
    (host / "root/usr/lib").mkdir(parents=True)
    (host / "root/lib").symlink_to(target)
    put(root, b"/lib/x")
    assert (host / "root/usr/lib/x").read_text() == "x"


@pytest.mark.parametrize("path", [b"/../secret", b"../secret", b"up/secret", b"abs/secret", b"a/../../secret"])
def test_no_path_leads_out(host: Path, root: Rootfs, path: bytes) -> None:
    (host / "root/a").mkdir()
    (host / "root/up").symlink_to("..")
    (host / "root/abs").symlink_to(host)
    root.make_folder(path.rpartition(b"/")[0])
    put(root, path)
    assert (host / "secret").read_text() == "host"
    assert root.read(path, 10) == b"x"


def test_a_file_replaces_the_link_and_not_what_it_leads_to(host: Path, root: Rootfs) -> None:
    (host / "root/link").symlink_to(host / "secret")
    put(root, b"link")
    assert (host / "secret").read_text() == "host"
    assert not (host / "root/link").is_symlink()


def test_reading_follows_links_inside_only(host: Path, root: Rootfs) -> None:
    (host / "root/link").symlink_to(host / "secret")
    assert root.read(b"link", 10) is None
    (host / "root/inside").symlink_to("/file")
    put(root, b"file", b"abcdef")
    assert root.read(b"inside", 3) == b"abc"
    os.mkfifo(host / "root/fifo")
    assert root.read(b"fifo", 3) is None


def test_loops_end(host: Path, root: Rootfs) -> None:
    (host / "root/a").symlink_to("b")
    (host / "root/b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links") as raised:
        root.make_folder(b"a/x")
    assert raised.value.errno == errno.ELOOP
    assert not root.is_folder(b"a")


def test_folders_are_made_as_docker_makes_them(host: Path, root: Rootfs) -> None:
    old = os.umask(0o077)
    try:
        assert root.make_folder(b"/a/b/../c") == [b"a", b"a/b", b"a/c"]
    finally:
        os.umask(old)
    assert stat.S_IMODE((host / "root/a/c").stat().st_mode) == 0o755
    assert root.make_folder(b"/a/c") == []


def test_a_file_on_the_way_is_an_error(root: Rootfs) -> None:
    put(root, b"file")
    with pytest.raises(NotADirectoryError):
        root.make_folder(b"file/x")
    with pytest.raises(FileExistsError):
        root.put_folder(b"file", Attributes())
    root.make_folder(b"folder")
    with pytest.raises(IsADirectoryError):
        put(root, b"folder")
    with pytest.raises(IsADirectoryError):
        put(root, b"/")


def test_attributes(host: Path, root: Rootfs) -> None:
    given = Attributes(0o4751, 12, 34, 10**18 + 7, (("user.note", b"n"),))
    root.put_file(b"f", BytesIO(b""), given)
    info = (host / "root/f").stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_mtime_ns) == (0o4751, 12, 34, 10**18 + 7)
    assert os.getxattr(host / "root/f", "user.note") == b"n"
    root.put_link(b"l", b"/nowhere", given)
    link = (host / "root/l").lstat()
    assert (link.st_uid, link.st_mtime_ns) == (12, 10**18 + 7)
    root.put_folder(b"d", given)
    root.put_node(b"p", stat.S_IFIFO, 0, given)
    assert stat.S_ISFIFO((host / "root/p").stat().st_mode)
    assert stat.S_IMODE((host / "root/d").stat().st_mode) == 0o4751


def test_an_existing_folder_takes_attributes_but_not_through_a_link(host: Path, root: Rootfs) -> None:
    root.make_folder(b"real")
    (host / "root/link").symlink_to("real")
    root.put_folder(b"link", Attributes(0o700, 5, 5))
    assert (host / "root/real").stat().st_uid == 0
    root.put_folder(b"real", Attributes(0o700, 5, 5))
    assert (host / "root/real").stat().st_uid == 5


def test_hard_links_stay_inside(host: Path, root: Rootfs) -> None:
    put(root, b"one")
    root.put_hard_link(b"two", b"one")
    assert (host / "root/two").stat().st_nlink == 2
    with pytest.raises(FileNotFoundError):
        root.put_hard_link(b"three", b"../secret")


def test_real_paths(host: Path, root: Rootfs) -> None:
    (host / "root/a").mkdir()
    put(root, b"a/f")
    (host / "root/l").symlink_to("/a/../a/f")
    (host / "root/out").symlink_to(host / "secret")
    inside = os.fsencode(host / "root")
    assert root.real(b"/l") == inside + b"/a/f"
    assert root.real(b"/") == inside
    assert root.real(b"..") == inside
    with pytest.raises(FileNotFoundError):
        root.real(b"out")


def test_only_what_is_empty_is_removed(host: Path, root: Rootfs) -> None:
    root.make_folder(b"full/empty")
    put(root, b"full/file")
    put(root, b"stub", b"")
    for path in (b"full/empty", b"full/file", b"full", b"stub", b"not/there"):
        root.remove_empty(path)
    assert [path.name for path in sorted((host / "root").rglob("*"))] == ["full", "file"]


def test_no_descriptor_is_left(host: Path) -> None:
    before = descriptors()
    with Rootfs(os.fsencode(host / "root")) as root:
        put(root, b"a")
        root.make_folder(b"b/c")
        put(root, b"b/c/d")
        with pytest.raises(FileNotFoundError):
            put(root, b"no/such/folder")
    assert descriptors() == before
