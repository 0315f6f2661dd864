"""Who a RUN runs as, by the image's own tables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from zbuild.backend.buildah.run_user import RunUser, find_user
from zbuild.backend.rootfs import Rootfs

if TYPE_CHECKING:
    from pathlib import Path

USERS = """\
root:x:0:0::/root:/bin/sh
web:x:33:44::/:/bin/sh
77:x:78:79::/:/bin/sh
web:x:35:45::/:/bin/sh
# nothing after a line that is none
late:x:90:91::/:/bin/sh
"""
GROUPS = "root:x:0:root\nwebg:x:44:web\nstaff:x:50:other,web\n60:x:61:web\nadm:x:4:root\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(USERS)
    (tmp_path / "etc/group").write_text(GROUPS)
    return tmp_path


def find(root: Path, wanted: str) -> RunUser:
    with Rootfs(os.fsencode(root)) as opened:
        return find_user(opened, wanted)


@pytest.mark.parametrize(
    ("wanted", "uid", "groups"),
    [
        ("", 0, (0, 4)),
        ("root", 0, (0, 4)),
        ("root:0", 0, (0,)),
        ("web", 33, (44, 50, 61)),
        ("33", 33, (44, 50, 61)),
        ("web:", 33, (44,)),
        ("web:staff", 33, (50,)),
        ("33:60", 33, (60,)),
        ("77", 77, (0,)),
        ("78", 78, (79,)),
        ("90", 90, (0,)),
        ("999:7", 999, (7,)),
        (":50", 0, (50,)),
        (":", 0, (0,)),
    ],
)
def test_users(root: Path, wanted: str, uid: int, groups: tuple[int, ...]) -> None:
    assert find(root, wanted) == RunUser(uid, groups[0], groups)


@pytest.mark.parametrize("wanted", ["nobody", "late", "web:none", "5000000000", "-1", "٣"])
def test_unknown_names(root: Path, wanted: str) -> None:
    with pytest.raises(LookupError):
        find(root, wanted)


def test_a_root_without_tables(tmp_path: Path) -> None:
    assert find(tmp_path, "") == RunUser(0, 0, (0,))
    assert find(tmp_path, "999") == RunUser(999, 0, (0,))
    with pytest.raises(LookupError):
        find(tmp_path, "root")


def test_tables_are_looked_for_inside_the_root(root: Path) -> None:
    (root / "etc/passwd").rename(root / "users")
    (root / "etc/passwd").symlink_to("/../users")
    assert find(root, "web").uid == 33
