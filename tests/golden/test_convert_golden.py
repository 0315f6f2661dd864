"""Each file of tests/golden/convert in the other format, and what that cannot say."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.golden import check_golden, problem_lines

from zbuild.api.convert import convert_file
from zbuild.frontend.load import is_zimagefile

_CASES = Path(__file__).parent / "convert"


@pytest.mark.parametrize("case", sorted(path.name for path in _CASES.iterdir() if path.suffix != ".txt"))
def test_a_file_is_converted_as_its_golden_file_says(case):
    assert is_zimagefile(case) == case.endswith(".yaml")
    printed = convert_file(_CASES, case)
    assert printed.whole == (not case.startswith("unsaid"))
    check_golden(_CASES / f"{case}.txt", f"{printed.text}\n{problem_lines(printed.problems)}")
