"""What each recipe comes to, as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.golden import check_golden, told

from zbuild.frontend.load import load_definition

_CASES = Path(__file__).parent / "recipes"
_RECIPES = sorted(path.parent.name for path in (Path(__file__).parents[2] / "recipes").glob("*/recipe.yaml"))


@pytest.mark.parametrize("name", _RECIPES)
def test_a_recipe_is_what_its_golden_file_says(name):
    check_golden(_CASES / f"{name}.txt", told(lambda: load_definition(Path(), f"recipe:{name}")))


def test_every_golden_file_has_its_recipe():
    assert sorted(path.stem for path in _CASES.iterdir()) == _RECIPES
