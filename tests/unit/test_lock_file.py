"""zbuild.lock: the same bases give the same text, and what is wrong in it is told with its place."""

from __future__ import annotations

import pytest

from zbuild.base.errors import BuildFileError
from zbuild.frontend.lock_file import lock_text, parse_lock
from zbuild.model.lock import Lock, LockedBase

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
BASES = (
    LockedBase("reg.example:5000/team/base:1", "linux/arm/v7", TWO),
    LockedBase("docker.io/library/alpine:3.20", "linux/arm64", TWO, "2026-11-21T13:00:00Z", ("web",)),
    LockedBase("docker.io/library/alpine:3.20", "linux/amd64", ONE, "2026-11-21T13:00:00Z", ("web", "api/builder")),
)
TEXT = f"""\
version: 1
bases:
  docker.io/library/alpine:3.20:
    linux/amd64:
      digest: {ONE}
      locked: "2026-11-21T13:00:00Z"
      asked_by:
        - "api/builder"
        - "web"
    linux/arm64:
      digest: {TWO}
      locked: "2026-11-21T13:00:00Z"
      asked_by:
        - "web"
  reg.example:5000/team/base:1:
    linux/arm/v7:
      digest: {TWO}
"""


def test_the_text_is_sorted_and_says_what_it_is() -> None:
    text = lock_text(Lock(BASES))
    comment, _, rest = text.partition("version:")
    assert "version:" + rest == TEXT
    assert all(line.startswith("# ") for line in comment.splitlines())
    assert lock_text(Lock(BASES[::-1])) == text


def test_what_is_written_is_read_again() -> None:
    read = parse_lock(lock_text(Lock(BASES)).encode())
    assert read.present
    assert read.by_use()["docker.io/library/alpine:3.20", "linux/amd64"].digest == ONE
    assert lock_text(read) == lock_text(Lock(BASES))
    assert parse_lock(lock_text(Lock()).encode()) == Lock(present=True)


def problems(text: str) -> list[str]:
    with pytest.raises(BuildFileError) as caught:
        parse_lock(text.encode())
    return [
        f"{item.span}: {item.message}" + (f" ({item.hint})" if item.hint else "") for item in caught.value.diagnostics
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bases: [", "zbuild.lock:2:1: did not find expected node content (while parsing a flow node)"),
        ("version: 1\n", "zbuild.lock:1:1: the file needs 'bases'"),
        ("bases: {}\nbase: {}\n", "zbuild.lock:2:1: unknown key 'base' (did you mean 'bases'?)"),
        ("bases:\n  a.example/x:1:\n    linux/amd64: {}\n", "zbuild.lock:3:5: 'linux/amd64' needs 'digest'"),
        (
            "bases:\n  a.example/x:1:\n    linux/amd64: {digest: sha256:12}\n",
            "zbuild.lock:3:27: 'digest': 'sha256:12' is no digest: write sha256: and 64 hex digits",
        ),
        (
            f"bases:\n  alpine:\n    linux/amd64: {{digest: {ONE}}}\n",
            "zbuild.lock:2:3: 'alpine' is not in full (write docker.io/library/alpine:latest)",
        ),
        (
            f"bases:\n  A B:\n    linux/amd64: {{digest: {ONE}}}\n",
            "zbuild.lock:2:3: 'A B' is not an image reference; write [registry/]name[:tag][@digest]",
        ),
        (
            f"bases:\n  a.example/x:1:\n    linux/x86_64: {{digest: {ONE}}}\n",
            "zbuild.lock:3:5: 'linux/x86_64' is not in full (write linux/amd64)",
        ),
        (
            f"bases:\n  a.example/x:1:\n    linux/amd64: &a {{digest: {ONE}}}\n    linux/amd64: *a\n",
            "zbuild.lock:4:5: 'linux/amd64' is given twice: first in line 3 (take one of them out)",
        ),
    ],
)
def test_what_is_wrong_has_its_place(text: str, told: str) -> None:
    assert told in problems(text)


def test_all_problems_are_told_at_once() -> None:
    assert len(problems("bases:\n  A:\n    b/c/d/e: {digest: x, more: 1}\n")) == 4
