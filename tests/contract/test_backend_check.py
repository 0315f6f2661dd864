"""What every backend does when images of its store are looked at: their files are shown, and damage is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.lab import run

from zbuild.base.errors import ImageGoneError

if TYPE_CHECKING:
    from support.lab import Lab


def test_an_image_as_it_was_built_is_whole(lab: Lab) -> None:
    lab.put("file", "text")
    result = lab.build("t-whole", lab.copy("file", dest="/new/file"), run("write", "/new/other", "more"))
    assert lab.backend.check(result.image_id) == ()


def test_the_files_of_an_image_are_shown(lab: Lab) -> None:
    result = lab.build("t-shown", run("write", "/other", "more"))
    root = Path(lab.backend.root(result.image_id).decode())
    assert (root / "other").read_text() == "more"
    assert (root / "bin").is_dir()


def test_an_image_that_is_not_there_cannot_be_looked_at(lab: Lab) -> None:
    for look in (lab.backend.check, lab.backend.root):
        with pytest.raises(ImageGoneError):
            look("0" * 64)
