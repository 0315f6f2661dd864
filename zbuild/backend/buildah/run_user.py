"""Who a RUN runs as: the USER of its image, looked up in the image's own /etc/passwd and /etc/group.

The rules are those of buildah 1.28, so that a RUN is the same whoever carries it out: a number is a number even where a
user has it for a name, a table ends at its first line that is none, and a user has the groups that list it only when no
group is asked for.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from zbuild.backend.rootfs import Rootfs

_LIMIT = 16 << 20
_HIGHEST = 2**32 - 1
_PASSWD_FIELDS = 7
_GROUP_FIELDS = 4


class RunUser(NamedTuple):
    """Numbers of a user and its groups; `groups` begins with `gid`."""

    uid: int
    gid: int
    groups: tuple[int, ...]


class _User(NamedTuple):
    name: str
    uid: int
    gid: int


class _Group(NamedTuple):
    name: str
    gid: int
    members: tuple[str, ...]


def find_user(root: Rootfs, wanted: str) -> RunUser:
    """Return who `user[:group]` is, "" being root. Raises LookupError for names that the image does not have."""
    name, colon, group = wanted.partition(":")
    groups = _groups(root)
    found, uid = _find_user(_users(root), name)
    primary = found.gid if found else 0
    gid = _find_group(groups, group) if group else primary
    if colon or not found:
        return RunUser(uid, gid, (gid,))
    others = (other.gid for other in groups if found.name in other.members)
    return RunUser(uid, gid, tuple(dict.fromkeys((gid, *others))))


def _find_user(users: list[_User], name: str) -> tuple[_User | None, int]:
    number = _number(name or "0")
    if number is not None:
        return next((user for user in users if user.uid == number), None), number
    for user in users:
        if user.name == name:
            return user, user.uid
    raise LookupError(name)


def _find_group(groups: list[_Group], name: str) -> int:
    number = _number(name)
    if number is not None:
        return number
    for group in groups:
        if group.name == name:
            return group.gid
    raise LookupError(name)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and int(text) <= _HIGHEST else None


def _users(root: Rootfs) -> list[_User]:
    return [_User(row[0], int(row[2]), int(row[3])) for row in _rows(root, b"/etc/passwd", _PASSWD_FIELDS, (2, 3))]


def _groups(root: Rootfs) -> list[_Group]:
    rows = _rows(root, b"/etc/group", _GROUP_FIELDS, (2,))
    return [_Group(row[0], int(row[2]), tuple(row[3].split(","))) for row in rows]


def _rows(root: Rootfs, path: bytes, fields: int, numbers: tuple[int, ...]) -> list[list[str]]:
    text = (root.read(path, _LIMIT) or b"").decode("utf-8", "surrogateescape")
    rows = (line.split(":") for line in text.splitlines())
    return list(takewhile(lambda row: len(row) >= fields and all(_is_number(row[at]) for at in numbers), rows))


def _is_number(text: str) -> bool:
    return _number(text) is not None
