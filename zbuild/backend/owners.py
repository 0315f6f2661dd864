"""Who `--chown` means: numbers as they are, names by the image's own /etc/passwd and /etc/group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.errors import StageError
from zbuild.base.text import did_you_mean

if TYPE_CHECKING:
    from zbuild.backend.rootfs import Rootfs
    from zbuild.base.span import Span

_LIMIT = 16 << 20
_HIGHEST = 2**32 - 2


def find_owner(root: Rootfs, owner: str, span: Span) -> tuple[int, int]:
    """Return (uid, gid) of `user[:group]`.

    A user without a group brings its own from /etc/passwd; a number alone is both (BuildKit's rule). No user is root.
    Raises StageError for a name that the image does not have.
    """
    user, _, group = owner.partition(":")
    users = _table(root, "passwd")
    uid = _number(user or "0", "user", users, span)
    if group:
        return uid, _number(group, "group", _table(root, "group"), span)
    fields = users.get(user, ())
    return uid, int(fields[3]) if len(fields) > 3 and fields[3].isdecimal() else uid  # noqa: PLR2004 - passwd(5)


def _number(name: str, kind: str, table: dict[str, list[str]], span: Span) -> int:
    if name.isdecimal() and int(name) <= _HIGHEST:
        return int(name)
    fields = table.get(name, ())
    if len(fields) > 2 and fields[2].isdecimal():  # noqa: PLR2004 - name, password, number (passwd(5), group(5))
        return int(fields[2])
    raise StageError(f"unknown-{kind}", f"the image has no {kind} '{name}'", span=span, hint=did_you_mean(name, table))


def _table(root: Rootfs, name: str) -> dict[str, list[str]]:
    text = (root.read(b"/etc/" + name.encode(), _LIMIT) or b"").decode("utf-8", "replace")
    rows = [line.split(":") for line in text.splitlines() if line and not line.startswith("#")]
    # The first of two rows with one name holds, as for getpwnam(3).
    return {row[0]: row for row in reversed(rows)}
