"""Paths as they are written in a build file elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from zbuild.frontend.dockerfile.parse import parse_dockerfile
from zbuild.frontend.paths import relative_path
from zbuild.frontend.zimagefile.print import print_zimagefile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("path", "folder", "written"),
    [
        ("a/b", ".", "a/b"),
        (".", "a/b", "../.."),
        ("a", "a", "."),
        ("a/c/d", "a/b", "../c/d"),
        ("../out", "a", "../../out"),
        ("./a//b/", "a", "b"),
    ],
)
def test_a_path_is_written_from_a_folder(path: str, folder: str, written: str) -> None:
    assert relative_path(path, folder) == written


def test_where_zbuild_runs_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert relative_path("a/b", "c") == "../a/b"


def test_sources_in_quotes_are_absolute_when_their_text_is() -> None:
    text = b'FROM scratch AS a\nFROM scratch\nCOPY --from=a "/q" \'/r\' "s" t /to/\n'
    printed = print_zimagefile(parse_dockerfile(text, "Dockerfile"))
    assert "copy: [/q, /r, /s, /t]" in printed.text
