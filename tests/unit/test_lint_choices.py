from __future__ import annotations

import pytest

from zbuild.frontend.lint.choices import LintChoices, parse_choices


def choices(skip="", experimental="", *, error=False):
    return LintChoices(frozenset(skip.split()), frozenset(experimental.split()), error=error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("skip=A,B", choices("A B")),
        (" skip = A , B ; error = true ", choices("A B", error=True)),
        ("error=1;experimental=all;skip=all", choices("all", "all", error=True)),
        ("error=F", choices()),
        ("skip=", choices()),
    ],
)
def test_the_directive_is_read_as_buildkit_reads_it(text, expected):
    assert parse_choices(text) == expected


@pytest.mark.parametrize("text", ["", "skip", "skp=A", "error=yes", "Skip=A", "skip=A;error=true;error=false;skip=B"])
def test_what_buildkit_refuses_is_refused(text):
    with pytest.raises(ValueError, match="check directive"):
        parse_choices(text)


def test_skip_and_experimental_choose_rules():
    assert choices().wants("A", experimental=False)
    assert not choices("A").wants("A", experimental=False)
    assert not choices("all").wants("A", experimental=False)
    assert not choices().wants("A", experimental=True)
    assert choices("all", "A").wants("A", experimental=True)
    assert not choices("A", "all").wants("A", experimental=True)


def test_choices_add_up():
    assert choices("A", error=True).joined(choices("B", "C")) == choices("A B", "C", error=True)
