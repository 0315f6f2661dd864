from __future__ import annotations

import json
from dataclasses import fields
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from zbuild.base.diagnostic import Diagnostics
from zbuild.frontend.zimagefile.steps import _LOWER, ACTIONS
from zbuild.model import mounts
from zbuild.model.project import ImageFormat, ImageSpec
from zbuild.syntax.schema import SUPPORTED_KEYWORDS, check_schema, read_schema
from zbuild.syntax.yaml_reader import read_yaml

_NAMES = ("zimagefile", "zbuild", "lock")
_ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "errorMessage"}


def _parts(value: object, *, schema: bool = True):
    """Yield every schema inside a schema."""
    if isinstance(value, list):
        for item in value:
            yield from _parts(item)
    elif isinstance(value, dict):
        if schema:
            yield value
        for key, item in value.items():
            if isinstance(item, dict | list) and key not in ("required", "dependentRequired", "enum"):
                yield from _parts(item, schema=not schema or key not in ("properties", "$defs"))


@pytest.mark.parametrize("name", _NAMES)
def test_schemas_are_json_schema(name):
    Draft202012Validator.check_schema(read_schema(name))


@pytest.mark.parametrize("name", _NAMES)
def test_schemas_hold_only_what_can_be_told_well(name):
    for part in _parts(read_schema(name)):
        assert set(part) <= SUPPORTED_KEYWORDS | _ANNOTATIONS | {"not"}


@pytest.mark.parametrize("name", _NAMES)
def test_every_property_is_described_and_every_mapping_is_closed(name):
    for part in _parts(read_schema(name)):
        for key, property_schema in part.get("properties", {}).items():
            assert "description" in property_schema or "$ref" in property_schema, key
        if "properties" in part:
            # A matrix has names of its own, beside those that mean something.
            assert part["additionalProperties"] is False or "include" in part["properties"]
    for key, definition in read_schema(name)["$defs"].items():
        assert "description" in definition, key


@pytest.mark.parametrize("name", [*_NAMES, "recipe", "lock"])
def test_editors_can_tell_of_every_value_what_it_is(name):
    for part in _parts(read_schema(name)):
        inner = [part[key] for key in ("items", "additionalProperties", "propertyNames") if key in part]
        for value in (*part.get("properties", {}).values(), *inner):
            assert isinstance(value, bool) or value.keys() & {"description", "$ref"}, part


@pytest.mark.parametrize("name", _NAMES)
def test_every_reference_leads_somewhere(name):
    for part in _parts(read_schema(name)):
        if "$ref" in part:
            file, _, definition = part["$ref"].partition("#/$defs/")
            assert definition in read_schema(file.removesuffix(".schema.json") or name)["$defs"]


@pytest.mark.parametrize("name", _NAMES)
def test_every_pattern_says_what_it_wants(name):
    for part in _parts(read_schema(name)):
        assert ("pattern" in part) == ("errorMessage" in part)


def _properties(name: str, definition: str) -> set[str]:
    return set(read_schema(name)["$defs"][definition]["properties"])


def test_a_step_is_one_of_the_actions_that_are_lowered():
    step = read_schema("zimagefile")["$defs"]["step"]
    assert {branch["required"][0] for branch in step["oneOf"]} == set(ACTIONS) == set(_LOWER)


def test_a_stage_and_a_file_share_their_keys():
    own = {"version", "runtime", "stages", "wasm"}
    assert set(read_schema("zimagefile")["properties"]) - own == _properties("zimagefile", "stage")


def test_an_image_has_the_model_s_fields_and_a_zimagefile_s_keys():
    model = {field.name for field in fields(ImageSpec)} - {"name", "definition", "span"}
    inline = set(read_schema("zimagefile")["properties"]) - {"version"}
    gone = {"matrix", "extends", "name"}  # done with before there is an image
    assert _properties("zbuild", "image") == model | inline | gone


def test_enumerations_are_the_model_s():
    definitions = read_schema("zimagefile")["$defs"]
    assert set(definitions["cacheMount"]["properties"]["sharing"]["enum"]) == set(get_args(mounts.Sharing))
    assert set(read_schema("zbuild")["$defs"]["format"]["enum"]) == set(get_args(ImageFormat))


def test_cache_mounts_take_what_the_model_has():
    model = {field.name for field in fields(mounts.CacheMount)} - {"mode", "uid", "gid", "source", "path"}
    assert _properties("zimagefile", "cacheMount") == model


def _checked(text: str, name: str = "zimagefile"):
    problems = Diagnostics()
    node = check_schema(read_yaml(text.encode(), "f"), name, problems)
    return node, [(str(item.span), item.code) for item in problems.items]


def test_what_is_right_stays_as_it_is():
    node, problems = _checked("base: alpine\nenv: {A: no, B: 1.10}\nexpose: 80\n")
    assert problems == []
    assert node == read_yaml(b"base: alpine\nenv: {A: no, B: 1.10}\nexpose: 80\n", "f")


def test_what_is_wrong_is_taken_out_and_the_rest_stays():
    node, problems = _checked("base: alpine\nenv: [a]\nfoo: 1\nsteps: [{run: x}, 3, {run: [a, {b: c}]}]\n")
    assert sorted(problems) == [
        ("f:2:1", "wrong-type"),
        ("f:3:1", "unknown-key"),
        ("f:4:19", "wrong-type"),
        ("f:4:32", "wrong-type"),
    ]
    assert node == read_yaml(b"base: alpine\nsteps: [{run: x}, {run: [a]}]\n", "f")


def test_a_misspelt_key_is_not_also_called_missing():
    assert _checked("bas: alpine\n") == (None, [("f:1:1", "unknown-key")])


@pytest.mark.parametrize("word", ["yes", "on", "true", "False"])
def test_a_boolean_field_takes_yaml_1_1_words(word):
    assert _checked(f"images: {{a: {{no_cache: {word}}}}}", "zbuild")[1] == []


def test_a_boolean_field_takes_no_text():
    assert _checked("images: {a: {no_cache: 'yes'}}", "zbuild")[1] == [("f:1:24", "wrong-type")]


def test_the_schemas_are_files_that_editors_can_use():
    for name in _NAMES:
        schema = read_schema(name)
        assert schema["$id"] == f"{name}.schema.json"
        assert json.loads(json.dumps(schema)) == schema
