from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

import zbuild.base.sealed
import zbuild.state.stamp
from zbuild.base.errors import StateError
from zbuild.base.sealed import seal, unseal
from zbuild.state import plancache
from zbuild.state.folder import StateFolder
from zbuild.state.stamp import read_stamp, stat_row, unchanged, write_stamp

STAMP = {"files": [("/a", 1, 2, 3, 4)], "text": "all up to date", "keys": {"a": b"\0\xff"}, "none": None}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "stamp")


def test_a_stamp_comes_back(path: str) -> None:
    write_stamp(path, STAMP)
    assert read_stamp(path) == STAMP


def test_there_may_be_none(path: str) -> None:
    assert read_stamp(path) is None
    assert read_stamp(path + "/below") is None


def test_any_damage_makes_it_none(path: str) -> None:
    write_stamp(path, STAMP)
    whole = Path(path).read_bytes()
    damaged = [whole[:size] for size in range(len(whole))]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    damaged += [whole + b"x", b"\0" * len(whole)]
    for data in damaged:
        Path(path).write_bytes(data)
        assert read_stamp(path) is None


def test_another_zbuild_or_python_or_kind_reads_none(monkeypatch: pytest.MonkeyPatch) -> None:
    data = seal("stamp", STAMP)
    assert unseal("plan", data) is None
    with monkeypatch.context() as patch:
        patch.setattr("zbuild.__version__", "9.9")
        assert unseal("stamp", data) is None
    with monkeypatch.context() as patch:
        patch.setattr("sys.hexversion", 1)
        assert unseal("stamp", data) is None
    assert unseal("stamp", data) == STAMP


def test_a_value_that_is_no_stamp_reads_none(path: str) -> None:
    Path(path).write_bytes(seal("stamp", ["no", "dict"]))
    assert read_stamp(path) is None


def test_a_stamp_that_cannot_be_written_is_told(path: str) -> None:
    with pytest.raises(StateError):
        write_stamp(path + "/below", STAMP)
    with pytest.raises(ValueError, match="unmarshallable"):
        write_stamp(path, {"object": object()})


def test_rows_tell_every_kind_of_change(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_text("1")
    rows = [stat_row(str(file)), stat_row(str(other))]
    assert rows[0][1] == 1
    assert rows[1] == (str(other), -1, 0, 0, 0)
    assert unchanged(rows)
    os.utime(file)
    assert not unchanged(rows)
    rows = [stat_row(str(file)), rows[1]]
    other.write_text("")
    assert not unchanged(rows)
    other.unlink()
    replacement = tmp_path / "new"
    replacement.write_text("2")
    times = file.stat()
    os.utime(replacement, ns=(times.st_atime_ns, times.st_mtime_ns))
    replacement.replace(file)  # same size, same mtime: another inode
    assert not unchanged(rows)


def test_rows_come_back_from_a_stamp_unchanged(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    write_stamp(path, {"rows": [stat_row(str(tmp_path / "file")), stat_row("nul\0")]})
    stamp = read_stamp(path)
    assert stamp is not None
    rows = stamp["rows"]
    assert isinstance(rows, list)
    assert unchanged(rows)


@pytest.mark.parametrize("module", [zbuild.state.stamp, zbuild.base.sealed, zbuild.state, zbuild])
def test_the_no_op_path_imports_next_to_nothing(module: object) -> None:
    allowed = {"__future__", "os", "sys", "marshal", "xxhash", "zbuild", "zbuild.base.sealed"}
    tree = ast.parse(Path(str(module.__file__)).read_text())  # type: ignore[attr-defined]
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    assert found <= allowed


def test_a_plan_comes_back_and_damage_makes_it_none(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path)
    assert plancache.load(folder, "p1") is None
    plancache.save(folder, "p1", ("plan", {"a": 1}, b"x"))
    assert plancache.load(folder, "p1") == ("plan", {"a": 1}, b"x")
    (folder.plan / "p1").write_bytes((folder.plan / "p1").read_bytes()[:-1])
    assert plancache.load(folder, "p1") is None


def test_only_the_newest_stamps_and_graphs_are_kept(tmp_path: Path) -> None:
    folder = StateFolder.open(tmp_path)
    for number in range(70):
        for name in (f"{number}.stamp", f"{number}.graph"):
            (folder.plan / name).touch()
            os.utime(folder.plan / name, (number, number))
    write_stamp(str(folder.plan / "new.stamp"), {})
    plancache.save(folder, "new.graph", {})
    left = {path.name for path in folder.plan.iterdir()}
    kept = {"new", *map(str, range(7, 70))}
    assert left == {f"{name}.{kind}" for name in kept for kind in ("stamp", "graph")}
