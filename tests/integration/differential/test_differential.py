"""Every folder of `cases`: buildah and zbuild make the same image of the Dockerfile, and of each of its prefixes.

Where they differ on purpose, `known.yaml` says in what; docs/differences.md says why.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from support.differential import Case, Laboratory, differences
from support.dockerfiles import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
DOCS = HERE.parents[2] / "docs/differences.md"
CASES = {folder.name: Case(folder) for folder in sorted((HERE / "cases").iterdir())}
KNOWN = yaml.safe_load((HERE / "known.yaml").read_text())
ACCEPTED = [name for name, case in CASES.items() if not case.refused]


@pytest.fixture(scope="module")
def laboratory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """All cases of the tests that were chosen, built."""
    bench = Bench.create(tmp_path_factory.mktemp("differential"))
    tests = (item for item in request.session.items if item.path == request.path and hasattr(item, "callspec"))
    chosen = dict.fromkeys(test.callspec.params["name"] for test in tests)
    made = Laboratory(bench, [CASES[name] for name in chosen])
    for folder in (HERE / "bases").iterdir():
        made.make_base(folder)
    made.build()
    yield made
    bench.remove()


def known(name: str) -> list[str]:
    """Return the patterns of a case's known differences."""
    return [pattern for row in KNOWN for pattern in row["cases"].get(name, ())]


@pytest.mark.parametrize("name", ACCEPTED)
def test_buildah_makes_the_same_images(laboratory: Laboratory, name: str) -> None:
    patterns = known(name)
    found = laboratory.compare(CASES[name])
    assert {what: how for what, how in found.items() if not any(fnmatchcase(what, each) for each in patterns)} == {}
    assert [each for each in patterns if not any(fnmatchcase(what, each) for what in found)] == []


@pytest.mark.parametrize("name", [name for name in ACCEPTED if CASES[name].runs])
def test_runs_by_buildah_and_by_the_runtime_make_the_same_image(laboratory: Laboratory, name: str) -> None:
    direct = laboratory.image(f"localhost/z/{name}:{CASES[name].whole}")
    assert differences(laboratory.image(f"localhost/y/{name}:1"), direct) == {}


@pytest.mark.parametrize("name", [name for name in CASES if name not in ACCEPTED])
def test_both_refuse(laboratory: Laboratory, name: str) -> None:
    case = CASES[name]
    assert bool(laboratory.buildah[name].returncode) == (known(name) != ["accepted"])
    assert laboratory.zbuild[name].code in (1, 2)
    line = case.prefixes[case.whole].count(b"\n")
    assert f"files/{case.whole}:{line}:" in laboratory.zbuild[name].stderr
    assert case.refused in laboratory.zbuild[name].stderr


def test_every_known_difference_is_told_to_users() -> None:
    table = [line.split("|")[1].strip() for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    assert table[1:] == [row["what"] for row in KNOWN]
    assert {name for row in KNOWN for name in row["cases"]} <= set(CASES)
