from __future__ import annotations

from pathlib import Path

import pytest
from support.golden import check_golden, told

from zbuild.frontend.zimagefile import parse_zimagefile

_CASES = Path(__file__).parent / "zimagefile"


@pytest.mark.parametrize("case", sorted(path.stem for path in _CASES.glob("*.yaml")))
def test_a_zimagefile_is_read_as_its_golden_file_says(case):
    data = (_CASES / f"{case}.yaml").read_bytes()
    text = told(lambda: parse_zimagefile(data, file="app/ZImagefile", folder="app"))
    check_golden(_CASES / f"{case}.txt", text)
