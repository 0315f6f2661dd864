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
TOGETHER = 25
ACCEPTED = [name for name, case in CASES.items() if not case.refused]


class Laboratories:
    """The cases that were chosen, some to a laboratory, as stores slow down with each image; built when first asked."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self._folder = folder
        self._names = names
        self._made: dict[int, Laboratory] = {}

    def of(self, name: str) -> Laboratory:
        number = self._names.index(name) // TOGETHER
        if number not in self._made:
            names = self._names[number * TOGETHER : (number + 1) * TOGETHER]
            made = Laboratory(Bench.create(self._folder / str(number)), [CASES[each] for each in names])
            self._made[number] = made
            for base in (HERE / "bases").iterdir():
                made.make_base(base)
            made.build()
        return self._made[number]

    def close(self) -> None:
        for made in self._made.values():
            made.bench.remove()


@pytest.fixture(scope="module")
def laboratories(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratories]:
    tests = (item for item in request.session.items if item.path == request.path and hasattr(item, "callspec"))
    chosen = {test.callspec.params["name"] for test in tests}
    made = Laboratories(tmp_path_factory.mktemp("differential"), sorted(chosen))
    yield made
    made.close()


def known(name: str) -> list[str]:
    """Return the patterns of a case's known differences."""
    return [pattern for row in KNOWN for pattern in row["cases"].get(name, ())]


@pytest.mark.parametrize("name", ACCEPTED)
def test_buildah_makes_the_same_images(laboratories: Laboratories, name: str) -> None:
    patterns = known(name)
    found = laboratories.of(name).compare(CASES[name])
    assert {what: how for what, how in found.items() if not any(fnmatchcase(what, each) for each in patterns)} == {}
    assert [each for each in patterns if not any(fnmatchcase(what, each) for what in found)] == []


@pytest.mark.parametrize("name", [name for name in ACCEPTED if CASES[name].runs])
def test_runs_by_buildah_and_by_the_runtime_make_the_same_image(laboratories: Laboratories, name: str) -> None:
    laboratory = laboratories.of(name)
    direct = laboratory.image(f"localhost/z/{name}:{CASES[name].whole}")
    assert differences(laboratory.image(f"localhost/y/{name}:1"), direct) == {}


@pytest.mark.parametrize("name", [name for name in CASES if name not in ACCEPTED])
def test_both_refuse(laboratories: Laboratories, name: str) -> None:
    case, laboratory = CASES[name], laboratories.of(name)
    assert bool(laboratory.buildah[name].returncode) == (known(name) != ["accepted"])
    assert laboratory.zbuild[name].code in (1, 2)
    line = case.prefixes[case.whole].count(b"\n")
    assert f"files/{case.whole}:{line}:" in laboratory.zbuild[name].stderr
    assert case.refused in laboratory.zbuild[name].stderr


def test_every_known_difference_is_told_to_users() -> None:
    table = [line.split("|")[1].strip() for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    assert table[1:] == [row["what"] for row in KNOWN]
    assert {name for row in KNOWN for name in row["cases"]} <= set(CASES)
