from __future__ import annotations

import pytest

from zbuild.base.diagnostic import Diagnostics
from zbuild.base.errors import BuildFileError
from zbuild.syntax.interpolate import MAX_CHARACTERS, interpolate, resolve_variables
from zbuild.syntax.nodes import Mapping, Scalar
from zbuild.syntax.yaml_reader import read_yaml


def _mapping(text: str) -> Mapping:
    node = read_yaml(text.encode(), "f")
    assert isinstance(node, Mapping)
    return node


def _resolved(text: str, inherited=None, overrides=None) -> tuple[dict[str, str], list[tuple[str, str]]]:
    problems = Diagnostics()
    values = resolve_variables(_mapping(text), inherited or {}, overrides or {}, problems)
    return values, [(item.code, item.hint) for item in problems.items]


def _text(text: str, *, lenient: bool = False, **values: str) -> tuple[str, list[str]]:
    problems = Diagnostics()
    node = interpolate(Scalar(text), values, problems, lenient=lenient)
    assert isinstance(node, Scalar)
    return node.text, [item.code for item in problems.items]


def test_variables_may_use_those_before_them():
    assert _resolved("A: x\nB: ${A}y\nC: ${B}${A}") == ({"A": "x", "B": "xy", "C": "xyx"}, [])


def test_the_command_line_wins_over_a_file_and_a_file_over_what_it_inherits():
    values, problems = _resolved("A: own\nB: ${A}-${C}", {"A": "inherited", "C": "c"}, {"A": "set", "Z": "new"})
    assert (values, problems) == ({"A": "set", "B": "set-c", "C": "c", "Z": "new"}, [])


def test_a_variable_may_build_on_the_value_it_inherits():
    assert _resolved("V: ${V}-api", {"V": "1"}) == ({"V": "1-api"}, [])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("A: ${B}\nB: x", "variable-order"),
        ("A: ${B}\nB: ${A}", "variable-order"),
        ("A: a${A}", "variable-cycle"),
        ("A: ${NO}", "unknown-variable"),
        ("A: ${", "bad-variable"),
    ],
)
def test_other_uses_are_errors(text, code):
    _, problems = _resolved(text)
    assert code in [found for found, _ in problems]


def test_an_unknown_name_is_compared_with_the_known_ones():
    assert _resolved("VERSION: x\nB: ${VERSON}")[1] == [("unknown-variable", "did you mean 'VERSION'?")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}/x:${B}", "a/x:b"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A $ $$ {A}", "$A $ $$ {A}"),
        ("100%", "100%"),
    ],
)
def test_only_names_in_braces_are_replaced(text, expected):
    assert _text(text, A="a", B="b") == (expected, [])


def test_values_are_not_looked_at_again():
    assert _text("${A}", A="${B}", B="b") == ("${B}", [])


def test_lenient_texts_keep_what_may_be_a_build_argument():
    assert _text("${A} ${ARG} ${ARG:-x} $${A}", lenient=True, A="a") == ("a ${ARG} ${ARG:-x} ${A}", [])
    assert _text("${ARG:-x}", A="a") == ("${ARG:-x}", ["bad-variable"])


def test_values_are_replaced_everywhere_and_keys_nowhere():
    problems = Diagnostics()
    node = interpolate(_mapping("${A}: [{b: '${A}'}, '${A}']"), {"A": "8"}, problems)
    assert node == _mapping("${A}: [{b: '8'}, '8']")


def test_variables_that_double_each_other_are_stopped():
    rows = ["V0: " + "x" * 1000, *(f"V{i}: ${{V{i - 1}}}${{V{i - 1}}}" for i in range(1, 60))]
    with pytest.raises(BuildFileError) as caught:
        _resolved("\n".join(rows))
    assert caught.value.code == "too-large"
    assert str(MAX_CHARACTERS) in caught.value.message
