from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.dump import dump
from support.golden import check_golden, problem_lines

from zbuild.base.errors import BuildFileError, UsageError
from zbuild.frontend.load import load_project
from zbuild.model.overlay import Overlay

_CASES = Path(__file__).parent / "buildfile"


def _options(root: Path) -> dict[str, object]:
    """Return what stands in for the command line: `options.json` has variables, and an overlay's fields."""
    file = root / "options.json"
    given = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    variables = given.pop("variables", {})
    return {"variables": variables, "overlay": Overlay(**{name: tuple(texts) for name, texts in given.items()})}


def _told(root: Path) -> str:
    try:
        project = load_project(root, **_options(root))
    except BuildFileError as error:
        return problem_lines(error.diagnostics)
    except UsageError as error:
        return f"{error.code}: {error.message}\n  hint: {error.hint}\n"
    text = f"{dump(project)}\n{problem_lines(project.warnings)}"
    return text.replace(str(root), "ROOT").replace(str(root.parents[3] / "recipes"), "RECIPES")


@pytest.mark.parametrize("case", sorted(path.name for path in _CASES.iterdir() if path.is_dir()))
def test_a_workspace_is_read_as_its_golden_file_says(case):
    check_golden(_CASES / case / "expected.txt", _told(_CASES / case))
