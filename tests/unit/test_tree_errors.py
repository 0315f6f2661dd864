from __future__ import annotations

import os

import pytest

from zbuild.base.gomatch import PatternError
from zbuild.model.steps import Selection
from zbuild.plan.ignore import Ignore
from zbuild.plan.sources import SelectionError
from zbuild.plan.tree import select


@pytest.fixture
def refused(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.c").touch()
    (tmp_path / "README.md").touch()

    def attempt(*sources, ignore=()):
        with pytest.raises(SelectionError) as caught:
            select(os.fsencode(tmp_path), Selection(sources), Ignore(ignore) if ignore else None)
        return caught.value.pattern, caught.value.message, caught.value.hint

    return attempt


def test_a_missing_file_names_its_neighbour(refused):
    assert refused("src/mian.c") == ("src/mian.c", "'src/mian.c' is not there", "did you mean 'main.c'?")


def test_a_missing_folder_is_told_apart(refused):
    assert refused("scr/main.c") == (
        "scr/main.c",
        "'scr/main.c' is not there (no 'scr')",
        "did you mean 'src'?",
    )


def test_a_file_is_no_folder(refused):
    assert refused("README.md/x")[1] == "'README.md/x' is not there"


def test_nothing_like_it(refused):
    assert refused("zzz")[2] == ""


def test_a_wildcard_without_a_match(refused):
    assert refused("*.go", "*.rs")[:2] == ("*.go", "no file matches '*.go'")


def test_ignored_sources_say_so(refused):
    assert refused("README.md", ignore=["*.md"])[1:] == (
        "'README.md' is left out by the ignore file",
        "take the pattern out, or add one that begins with '!'",
    )
    assert refused("src", ignore=["src", "!src/none"])[1] == "'src' is left out by the ignore file"
    assert refused("*.md", ignore=["*.md"])[1] == "all that '*.md' matches is left out by the ignore file"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../../etc/passwd", "loop", "nowhere"])
def test_links_that_lead_nowhere_inside(refused, tmp_path, target):
    (tmp_path / "loop").symlink_to(target)
    assert refused("loop")[1] == "'loop' is a link that leads nowhere within the tree"


def test_bad_patterns(tmp_path):
    with pytest.raises(PatternError, match="not closed"):
        select(os.fsencode(tmp_path), Selection(("a[",)))
    with pytest.raises(PatternError, match="nothing follows"):
        select(os.fsencode(tmp_path), Selection((".",), exclude=("a\\",)))
