"""COPY and ADD in a root folder: where things land, whose they are, what is refused."""

from __future__ import annotations

import os
import stat
import tarfile
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from zbuild.backend.copying import copy_step, folder_step
from zbuild.backend.rootfs import Rootfs
from zbuild.base.errors import StageError
from zbuild.base.span import Span
from zbuild.model.steps import ContextOrigin, CopyStep, FolderStep, Selection, StageOrigin

if TYPE_CHECKING:
    from collections.abc import Mapping

SPAN = Span("Dockerfile", 4)


@dataclass(frozen=True)
class Bench:
    source: Path
    root: Path

    def put(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            file = self.source / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def step(self, *sources: str, dest: str, **fields: object) -> CopyStep:
        return replace(CopyStep(ContextOrigin(str(self.source)), Selection(sources), dest, span=SPAN), **fields)

    def copy(self, *sources: str, dest: str, **fields: object) -> None:
        self.run(self.step(*sources, dest=dest, **fields))

    def run(self, step: CopyStep) -> None:
        with Rootfs(os.fsencode(self.root)) as root:
            copy_step(root, step, os.fsencode(self.source), lambda: None)

    def landed(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.root)): path.read_text()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path / "source", tmp_path / "root")
    made.source.mkdir()
    made.root.mkdir()
    return made


@pytest.mark.parametrize(
    ("sources", "dest", "landed"),
    [
        (("a",), "/x", {"x": "A"}),
        (("a",), "/x/", {"x/a": "A"}),
        (("a",), "/there", {"there/a": "A"}),
        (("a", "b"), "/x/", {"x/a": "A", "x/b": "B"}),
        (("a", "b"), "/there", {"there/a": "A", "there/b": "B"}),
        (("d", "d/e"), "/x", {"x/e/f": "F", "x/f": "F", "x/g": "G"}),
        (("d",), "/x", {"x/e/f": "F", "x/g": "G"}),
        (("d", "a"), "/x/", {"x/a": "A", "x/e/f": "F", "x/g": "G"}),
        (("d/g",), "/new/deep/name", {"new/deep/name": "G"}),
        (("?",), "/x/", {"x/a": "A", "x/b": "B", "x/e/f": "F", "x/g": "G"}),
        ((".",), "/", {"a": "A", "b": "B", "d/e/f": "F", "d/g": "G"}),
    ],
)
def test_where_sources_land(bench: Bench, sources: tuple[str, ...], dest: str, landed: dict[str, str]) -> None:
    bench.put({"a": "A", "b": "B", "d/e/f": "F", "d/g": "G"})
    (bench.root / "there").mkdir()
    bench.copy(*sources, dest=dest)
    assert bench.landed() == landed


@pytest.mark.parametrize("sources", [("a", "b"), ("?",), ("d", "a"), ("a", "d")])
@pytest.mark.parametrize("dest", ["/x", "/file"])
def test_several_files_need_a_folder(bench: Bench, sources: tuple[str, ...], dest: str) -> None:
    bench.put({"a": "A", "b": "B", "d/g": "G"})
    (bench.root / "file").write_text("old")
    with pytest.raises(StageError, match="several files") as raised:
        bench.copy(*sources, dest=dest)
    assert (raised.value.code, raised.value.hint) == ("copy-destination", f"write '{dest}/' for a folder")
    assert bench.landed() == {"file": "old"}


def test_empty_folder_lands(bench: Bench) -> None:
    (bench.source / "empty").mkdir()
    bench.copy("empty", dest="/made")
    assert (bench.root / "made").is_dir()


def test_folders_merge_files_replace_and_links_are_followed_to_folders(bench: Bench) -> None:
    bench.put({"tree/lib/new": "n", "tree/lib/both": "new", "tree/link": "file"})
    (bench.root / "usr/lib").mkdir(parents=True)
    (bench.root / "usr/lib/both").write_text("old")
    (bench.root / "usr/lib/old").write_text("o")
    (bench.root / "lib").symlink_to("/usr/lib")
    (bench.root / "link").symlink_to("/usr/lib/old")
    bench.copy("tree", dest="/")
    assert bench.landed() == {"usr/lib/both": "new", "usr/lib/new": "n", "usr/lib/old": "o", "link": "file"}
    assert (bench.root / "lib").is_symlink()


@pytest.mark.parametrize(("source", "there"), [("file", "folder"), ("folder", "file")])
def test_a_folder_and_a_file_do_not_replace_each_other(bench: Bench, source: str, there: str) -> None:
    bench.put({"file/x": "", "folder/x/y": ""})
    if there == "folder":
        (bench.root / "x").mkdir()
    else:
        (bench.root / "x").write_text("")
    with pytest.raises(StageError) as raised:
        bench.copy(source, dest="/")
    assert raised.value.code == "copy-failed"
    assert raised.value.span == SPAN


def test_modes_times_and_owner_of_a_context(bench: Bench) -> None:
    bench.put({"run": "", "d/f": ""})
    (bench.source / "run").chmod(0o751)
    os.chown(bench.source / "run", 7, 8)
    os.utime(bench.source / "run", ns=(5, 10**18))
    os.utime(bench.source / "d", ns=(5, 10**17))
    bench.copy(".", dest="/")
    info = (bench.root / "run").stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_mtime_ns) == (0o751, 0, 0, 10**18)
    assert (bench.root / "d").stat().st_mtime_ns == 10**17


def test_a_stage_keeps_owners_and_attributes(bench: Bench) -> None:
    bench.put({"f": "x"})
    os.chown(bench.source / "f", 7, 8)
    os.setxattr(bench.source / "f", "user.note", b"kept")
    bench.copy("f", dest="/f", origin=StageOrigin("s"))
    info = (bench.root / "f").stat()
    assert (info.st_uid, info.st_gid) == (7, 8)
    assert os.getxattr(bench.root / "f", "user.note") == b"kept"
    bench.copy("f", dest="/g")
    assert os.listxattr(bench.root / "g") == []


@pytest.mark.parametrize(
    ("owner", "ids"),
    [
        ("5", (5, 5)),
        ("5:6", (5, 6)),
        ("web", (33, 44)),
        ("web:staff", (33, 50)),
        ("5:staff", (5, 50)),
        ("web:9", (33, 9)),
    ],
)
def test_owners(bench: Bench, owner: str, ids: tuple[int, int]) -> None:
    (bench.root / "etc").mkdir()
    (bench.root / "etc/passwd").write_text("# users\nroot:x:0:0\nweb:x:33:44::/:/bin/sh\nweb:x:1:1\n")
    (bench.root / "etc/group").write_text("staff:x:50:\n")
    bench.put({"d/f": ""})
    bench.copy("d", dest="/new/d/", owner=owner)
    for path in ("new", "new/d", "new/d/f"):
        info = (bench.root / path).stat()
        assert (info.st_uid, info.st_gid) == ids


def test_unknown_owners_are_named(bench: Bench) -> None:
    (bench.root / "etc").mkdir()
    (bench.root / "etc/passwd").write_text("www-data:x:33:33\n")
    bench.put({"f": ""})
    with pytest.raises(StageError, match="no user 'www-date'") as raised:
        bench.copy("f", dest="/", owner="www-date")
    assert raised.value.hint == "did you mean 'www-data'?"
    with pytest.raises(StageError, match="no group 'x'"):
        bench.copy("f", dest="/", owner="1:x")


def test_passwd_is_not_read_outside_the_root(bench: Bench) -> None:
    (bench.root / "etc").mkdir()
    (bench.source / "passwd").write_text("evil:x:1:1\n")
    (bench.root / "etc/passwd").symlink_to(bench.source / "passwd")
    with pytest.raises(StageError, match="no user 'evil'"):
        bench.copy("passwd", dest="/", owner="evil")


def test_mode_holds_for_files_and_folders(bench: Bench) -> None:
    bench.put({"d/e/f": ""})
    bench.copy("d", dest="/d", mode="0700")
    assert stat.S_IMODE((bench.root / "d/e/f").stat().st_mode) == 0o700
    assert stat.S_IMODE((bench.root / "d/e").stat().st_mode) == 0o700


def test_links_and_nodes_are_copied_as_such(bench: Bench) -> None:
    (bench.source / "link").symlink_to("/etc/passwd")
    os.mkfifo(bench.source / "pipe")
    os.mknod(bench.source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (bench.source / os.fsdecode(b"\xff")).write_text("odd")
    bench.copy(".", dest="/")
    assert (bench.root / "link").readlink() == Path("/etc/passwd")
    assert stat.S_ISFIFO((bench.root / "pipe").stat().st_mode)
    assert (bench.root / "null").stat().st_rdev == os.makedev(1, 3)
    assert (bench.root / os.fsdecode(b"\xff")).read_text() == "odd"


def test_ignored_files_stay_behind(bench: Bench) -> None:
    bench.put({"a": "A", "b.log": "B"})
    bench.copy(".", dest="/", origin=ContextOrigin(str(bench.source), ("*.log",)))
    assert bench.landed() == {"a": "A"}


def test_stop_is_asked_between_files(bench: Bench) -> None:
    bench.put({str(number): "" for number in range(5)})

    def stop() -> None:
        raise KeyboardInterrupt

    with Rootfs(os.fsencode(bench.root)) as root, pytest.raises(KeyboardInterrupt):
        copy_step(root, bench.step(".", dest="/"), os.fsencode(bench.source), stop)
    assert bench.landed() == {}


def test_large_files_are_whole(bench: Bench) -> None:
    with (bench.source / "large").open("wb") as file:
        file.seek((1 << 24) + 5)
        file.write(b"end")
    bench.copy("large", dest="/large")
    assert (bench.root / "large").stat().st_size == (1 << 24) + 8
    assert (bench.root / "large").read_bytes()[-4:] == b"\0end"


def test_folder_step(bench: Bench) -> None:
    with Rootfs(os.fsencode(bench.root)) as root:
        folder_step(root, FolderStep("/a/b"))
        (bench.root / "file").write_text("")
        with pytest.raises(StageError) as raised:
            folder_step(root, FolderStep("/file/b", span=SPAN))
    assert (bench.root / "a/b").is_dir()
    assert (raised.value.code, raised.value.span) == ("folder-failed", SPAN)


def archive(bench: Bench, name: str, mode: str, *members: tarfile.TarInfo) -> None:
    packed = mode == "w:zst"
    with tarfile.open(bench.source / name, "w" if packed else mode) as tar:
        for member in members:
            tar.addfile(member, BytesIO(b"x" * member.size))
    if packed:
        whole = (bench.source / name).read_bytes()
        half = len(whole) // 2  # two frames, as `zstd` makes of two files
        (bench.source / name).write_bytes(zstandard.compress(whole[:half]) + zstandard.compress(whole[half:]))


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in {"size": 0, "mode": 0o640, "uid": 3, "gid": 4, "mtime": 1000, **fields}.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "w:zst"])
def test_add_unpacks_archives_by_content(bench: Bench, mode: str) -> None:
    archive(
        bench,
        "archive.bin",
        mode,
        member("./"),
        member("d", type=tarfile.DIRTYPE, mode=0o750),
        member("d/f", size=5),
        member("d/hard", type=tarfile.LNKTYPE, linkname="d/f"),
        member("d/soft", type=tarfile.SYMTYPE, linkname="f"),
        member("deep/er/g", size=1),
        member("pipe", type=tarfile.FIFOTYPE),
    )
    bench.copy("archive.bin", dest="/to", extract=True)
    info = (bench.root / "to/d/f").stat()
    assert (info.st_size, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_nlink) == (5, 0o640, 3, 4, 2)
    assert (bench.root / "to/d/soft").readlink() == Path("f")
    assert (bench.root / "to/d").stat().st_mtime == 1000
    assert (bench.root / "to/deep/er/g").exists()
    assert stat.S_ISFIFO((bench.root / "to/pipe").stat().st_mode)


def test_copy_leaves_archives_as_they_are(bench: Bench) -> None:
    archive(bench, "a.tar", "w", member("f"))
    bench.copy("a.tar", dest="/")
    assert tarfile.is_tarfile(bench.root / "a.tar")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"\0" * 10240,
        b"\x1f\x8b not really gzip",
        b"\xfd7zXZ\x00 neither",
        b"\x28\xb5\x2f\xfd nor this",
        zstandard.compress(b"no archive inside"),
    ],
)
def test_add_copies_what_is_no_archive(bench: Bench, data: bytes) -> None:
    (bench.source / "f").write_bytes(data)
    bench.copy("f", dest="/f", extract=True)
    assert (bench.root / "f").read_bytes() == data


def test_owner_holds_for_the_folder_and_not_for_what_is_unpacked(bench: Bench) -> None:
    archive(bench, "a.tar", "w", member("f", size=1))
    bench.copy("a.tar", dest="/to", extract=True, owner="9")
    assert (bench.root / "to").stat().st_uid == 9
    assert (bench.root / "to/f").stat().st_uid == 3


def test_archives_bring_extended_attributes(bench: Bench) -> None:
    headers = {"SCHILY.xattr.user.note": "kept", "SCHILY.xattr.security.selinux": "of another machine"}
    folder = member("d", type=tarfile.DIRTYPE, pax_headers=headers)
    archive(bench, "a.tar", "w", folder, member("d/f", pax_headers=headers))
    bench.copy("a.tar", dest="/", extract=True)
    for path in ("d", "d/f"):
        assert os.listxattr(bench.root / path) == ["user.note"]
        assert os.getxattr(bench.root / path, "user.note") == b"kept"


def test_no_member_leaves_its_folder(bench: Bench) -> None:
    archive(bench, "up.tar", "w", member("a/../../../x", size=1))
    with pytest.raises(StageError) as raised:
        bench.copy("up.tar", dest="/to/", extract=True)
    assert raised.value.code == "archive-escapes"
    outside = bench.root.parent / "outside"
    outside.mkdir()
    archive(
        bench,
        "links.tar",
        "w",
        member("out", type=tarfile.SYMTYPE, linkname=str(outside)),
        member("out/x", size=1),
        member("/abs", size=1),
    )
    bench.copy("links.tar", dest="/to/", extract=True)
    assert list(outside.iterdir()) == []
    assert (bench.root / "to/abs").exists()
    archive(bench, "hard.tar", "w", member("h", type=tarfile.LNKTYPE, linkname="../../outside"))
    with pytest.raises(StageError):
        bench.copy("hard.tar", dest="/to/", extract=True)


@pytest.mark.parametrize("mode", ["w:gz", "w:zst"])
def test_damaged_archive_is_told(bench: Bench, mode: str) -> None:
    archive(bench, "a.tgz", mode, member("f", size=200_000), member("g", size=10))
    whole = (bench.source / "a.tgz").read_bytes()
    (bench.source / "a.tgz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StageError) as raised:
        bench.copy("a.tgz", dest="/", extract=True)
    assert raised.value.code == "bad-archive"


def test_inline_files_land_behind_the_sources(bench: Bench) -> None:
    bench.put({"a": "old"})
    bench.run(bench.step(dest="/alone", inline=(("x", "1"),)))
    bench.run(bench.step("a", dest="/both/", inline=(("a", "new"), ("c/d", "3"))))
    bench.run(bench.step(dest="/both", inline=(("e", "4"),), mode="0"))
    assert bench.landed() == {"alone": "1", "both/a": "new", "both/d": "3", "both/e": "4"}
    modes = [stat.S_IMODE((bench.root / name).stat().st_mode) for name in ("alone", "both/e")]
    assert modes == [0o644, 0]


def test_letters_of_a_mode_change_what_each_file_has(bench: Bench) -> None:
    bench.put({"tree/tool": "#!", "tree/text": "x"})
    (bench.source / "tree/tool").chmod(0o700)
    (bench.source / "tree/text").chmod(0o600)
    bench.copy("tree", dest="/in/", mode="u=rwX,go=rX", inline=(("word", "x"),))
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in (bench.root / "in").iterdir()}
    assert modes == {"tool": "0o755", "text": "0o644", "word": "0o644"}


def test_names_of_one_file_stay_names_of_one_file(bench: Bench) -> None:
    bench.put({"tree/a": "text", "tree/other": "text"})
    (bench.source / "tree/deep").mkdir()
    (bench.source / "tree/deep/b").hardlink_to(bench.source / "tree/a")
    bench.copy("tree", dest="/to/", mode="0640")
    inodes = {name: (bench.root / "to" / name).stat().st_ino for name in ("a", "deep/b", "other")}
    assert inodes["a"] == inodes["deep/b"] != inodes["other"]
    assert (bench.root / "to/deep/b").stat().st_mode & 0o777 == 0o640


def test_a_name_whose_place_another_source_takes_is_no_link(bench: Bench) -> None:
    bench.put({"a/f": "first", "b/f": "second"})
    (bench.source / "b/g").hardlink_to(bench.source / "a/f")
    bench.copy("a", "b", dest="/to/")
    assert bench.landed() == {"to/f": "second", "to/g": "first"}
