from __future__ import annotations

from pathlib import Path

import pytest
from support.dump import dump
from support.golden import check_golden, problem_lines

from zbuild.base.errors import BuildFileError
from zbuild.frontend.load import load_project

_CASES = Path(__file__).parent / "buildfile"


def _told(root: Path) -> str:
    # A variable that no build file has or uses may not be set.
    uses = any(b"${SET}" in path.read_bytes() for path in root.glob("zbuild.yaml"))
    try:
        project = load_project(root, variables={"SET": "from the command line"} if uses else {})
    except BuildFileError as error:
        return problem_lines(error.diagnostics)
    return f"{dump(project)}\n{problem_lines(project.warnings)}".replace(str(root), "ROOT")


@pytest.mark.parametrize("case", sorted(path.name for path in _CASES.iterdir() if path.is_dir()))
def test_a_workspace_is_read_as_its_golden_file_says(case):
    check_golden(_CASES / case / "expected.txt", _told(_CASES / case))
