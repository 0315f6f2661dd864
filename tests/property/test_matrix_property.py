"""Matrices against a plain account of what GitHub Actions does; and workspaces of random parts, which never crash."""

from __future__ import annotations

import json
import tempfile
from itertools import product
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from zbuild.base.errors import BuildFileError, UsageError
from zbuild.frontend.load import load_project
from zbuild.model.overlay import Overlay

_NAMES = ("A", "B", "C")
_VALUES = st.sampled_from(["x", "y", "z"])
_AXES = st.dictionaries(st.sampled_from(_NAMES[:2]), st.lists(_VALUES, min_size=1, max_size=3, unique=True), min_size=1)
_ENTRY = st.dictionaries(st.sampled_from(_NAMES), _VALUES, min_size=1)


def _expected(axes: dict[str, list[str]], exclude: list[dict[str, str]], include: list[dict[str, str]]):
    rows = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    rows = [row for row in rows if not any(entry.items() <= row.items() for entry in exclude)]
    original = [dict(row) for row in rows]
    further = []
    for entry in include:
        fitting = [
            i for i, row in enumerate(original) if all(row.get(name, text) == text for name, text in entry.items())
        ]
        for index in fitting:
            rows[index].update({name: text for name, text in entry.items() if name not in original[index]})
        further += [] if fitting else [entry]
    return [*rows, *further]


@settings(max_examples=150, deadline=None)
@given(_AXES, st.data())
def test_a_matrix_makes_the_combinations_that_it_should(axes, data) -> None:
    possible = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in axes.items()})
    exclude = data.draw(st.lists(possible.filter(bool), max_size=2))
    include = data.draw(st.lists(_ENTRY, max_size=3))
    matrix = {**axes, "exclude": exclude, "include": include}
    texts = {name: f"${{{name}}}" for name in _NAMES}
    image = {"base": "scratch", "matrix": matrix, "build_args": texts, "name": "i.${A}.${B}.${C}"}
    document = {"vars": dict.fromkeys(_NAMES, "none"), "images": {"i": image}}
    expected = _expected(axes, exclude, include)
    full = [{**dict.fromkeys(_NAMES, "none"), **row} for row in expected]
    distinct = len({tuple(row.items()) for row in full}) == len(full)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "zbuild.yaml").write_text(json.dumps(document))
        try:
            project = load_project(Path(folder))
        except BuildFileError as error:
            codes = {item.code for item in error.diagnostics}
            assert codes == ({"empty-matrix"} if not full else {"duplicate-image"})
            assert not full or not distinct
        else:
            assert [dict(spec.build_args) for spec in project.images] == full
            assert project.groups[0].members == tuple(spec.name for spec in project.images)


_SCALARS = st.sampled_from(["a", "b", "${A}", "${X}", "lib", "..", "", "1", "true", "*", "a.b", "x:1"])
_NAMED = "a b A X include exclude extends matrix name tags file base stages steps context type default env choices"
_KEYS = st.sampled_from(f"{_NAMED} images vars templates profiles groups build".split())
_ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=15
)
_SECTIONS = ("vars", "templates", "images", "profiles", "groups", "defaults")
_FILE = st.fixed_dictionaries({}, optional={name: st.dictionaries(_KEYS, _ANYTHING, max_size=4) for name in _SECTIONS})
_SETTING = st.lists(
    st.sampled_from(["images", "a", "*", "tags", "defaults", "groups", "b.c", "retries", ""]), max_size=4
)


@settings(max_examples=200, deadline=None)
@given(_FILE, _FILE, st.lists(_SETTING, max_size=2), st.sampled_from(["=x", "+=x", "=", "+"]))
def test_whatever_build_files_and_settings_hold_is_read_or_refused(file, override, paths, end) -> None:
    overlay = Overlay(profiles=("a",), settings=tuple(".".join(path) + end for path in paths))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "zbuild.yaml").write_text(json.dumps(file))
        (Path(folder) / "zbuild.override.yaml").write_text(json.dumps(override))
        try:
            project = load_project(Path(folder), variables={"A": "v"}, overlay=overlay)
        except (BuildFileError, UsageError):
            return
        names = [spec.name for spec in project.images] + [group.name for group in project.groups]
        assert len(names) == len(set(names))
