"""Permissions as --chmod writes them, by BSD's rules for chmod's letters."""

from __future__ import annotations

import stat

import pytest

from zbuild.base.filemode import parse_file_mode


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("644", 0o755, 0o644),
        ("04755", 0o600, 0o4755),
        ("0", 0o777, 0),
        ("+x", 0o644, 0o755),
        ("u=rwX,go=rX", 0o600, 0o644),
        ("u=rwX,go=rX", 0o700, 0o755),
        ("a-w", 0o666, 0o444),
        ("go=", 0o2775, 0o700),
        ("u+s,o+t", 0o755, 0o4755),
        ("+t", 0o777, 0o1777),
        ("g=u,o=g-w", 0o640, 0o664),
        ("u-x+w", 0o555, 0o655),
        ("u=,g=", 0o6777, 0o007),
    ],
)
def test_a_file_gets_the_permissions_that_are_written(text: str, before: int, after: int) -> None:
    assert oct(parse_file_mode(text).apply(stat.S_IFREG | before)) == oct(after)


def test_capital_x_always_holds_for_folders() -> None:
    assert parse_file_mode("u=rwX,go=rX").apply(stat.S_IFDIR | 0o600) == 0o755


@pytest.mark.parametrize("text", ["999", "10000", "rwxr-xr-x", "u=rw go=r", "u", "", "u=rw,", "+q", "-1", "\u0667"])
def test_what_is_no_mode_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no mode"):
        parse_file_mode(text)
