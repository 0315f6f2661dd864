"""Every folder of tests/golden/lint: a build file, and what the rule that the folder is named after finds in it.

A folder RULE has what the rule finds, RULE-none what is fine; others say what they are about.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.golden import check_golden, problem_lines

from zbuild.api.lint import IgnoredPaths, LintChoices
from zbuild.frontend.lint.rules import RULES
from zbuild.frontend.load import lint_definition

FOLDER = Path(__file__).parent / "lint"
CASES = sorted(path.name for path in FOLDER.iterdir())


@pytest.mark.parametrize("case", CASES)
def test_golden(case):
    folder = FOLDER / case
    file = next(name for name in ("Dockerfile", "ZImagefile") if (folder / name).exists())
    choices = LintChoices(experimental=frozenset({"all"}))
    linted = lint_definition(folder, file, IgnoredPaths(folder, ".", file), choices)
    rule = case.partition("-")[0]
    check_golden(folder / "expected.txt", problem_lines(item for item in linted.warnings if item.code == rule))


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_every_rule_is_shown_to_find_something_and_to_leave_something_alone(rule):
    assert (FOLDER / rule / "expected.txt").read_text(encoding="utf-8")
    assert not (FOLDER / f"{rule}-none" / "expected.txt").read_text(encoding="utf-8")
