"""`zbuild parse` of the files in tests/golden/parse, as text and as JSON; as written beside it where that differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from support.golden import check_golden

from zbuild.cli.main import zbuild
from zbuild.cli.session import Session

FOLDER = Path(__file__).parent / "parse"
CASES = sorted(path.name for path in FOLDER.iterdir() if path.suffix not in (".txt", ".json"))


def printed(*arguments):
    done = CliRunner().invoke(zbuild, ["parse", *arguments], obj=Session(directory=FOLDER), catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize("case", CASES)
def test_parse_prints_what_is_in_the_file(case):
    check_golden(FOLDER / f"{case}.json", printed(case, "--format", "json"))
    check_golden(FOLDER / f"{case}.txt", printed(case) + "\n" + printed(case, "--raw"))
