"""The documentation's blocks are true: files validate, commands run, links lead somewhere."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.blocks import blocks

if TYPE_CHECKING:
    from support.storage import Storage

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
GUIDES = [page for page in PAGES if any(block.mark not in ("", "doctest") for block in blocks(page))]
EXAMPLES = [page for page in PAGES if any(block.mark == "doctest" for block in blocks(page))]
PLAIN = {"", "text", "json", "mermaid"}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_of_code_is_marked_and_so_tested(page: Path):
    loose = [f"{_name(page)}:{block.line}" for block in blocks(page) if not block.mark and block.language not in PLAIN]
    assert not loose


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_to_files(page: Path):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", GUIDES, ids=_name)
def test_a_guide_works_when_followed(page: Path, storage: Storage, tmp_path: Path):
    """All files of the page are there from the start: readers see them before the commands that use them."""
    for block in blocks(page):
        if block.file:
            target = tmp_path / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for block in blocks(page):
        if block.mark == "run":
            argv = ["sh", "-euc", block.text]
            done = subprocess.run(argv, cwd=tmp_path, env=storage.environment | {"PATH": path}, check=False, **_TEXT)
            assert done.returncode == 0, f"{_name(page)}:{block.line}\n{done.stdout}"


_TEXT = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}


@pytest.mark.parametrize("page", EXAMPLES, ids=_name)
def test_examples_of_python_give_what_is_shown(page: Path):
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.mark == "doctest":
            test = doctest.DocTestParser().get_doctest(block.text, names, _name(page), str(page), block.line)
            assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0
            names = test.globs


def test_the_guides_are_found():
    assert {_name(page) for page in GUIDES} >= {"README.md", "docs/build-files.md"}
    assert {_name(page) for page in EXAMPLES} == {"docs/library.md"}
