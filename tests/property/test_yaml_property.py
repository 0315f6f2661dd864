from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zbuild.base.diagnostic import Diagnostics
from zbuild.base.errors import BuildFileError
from zbuild.frontend.load import load_project
from zbuild.frontend.values import word
from zbuild.frontend.zimagefile import parse_zimagefile
from zbuild.frontend.zimagefile.scope import Scope
from zbuild.syntax.nodes import Mapping, Scalar, Sequence
from zbuild.syntax.schema import read_schema
from zbuild.syntax.words import expand
from zbuild.syntax.yaml_reader import read_yaml

_SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_TOKENS = st.sampled_from(
    [
        *("a", "b", "&a ", "*a", "<<", ": ", ":\n", "- ", "\n", "\n  ", "\n- ", "  ", "\t", "[", "]", "{", "}", ","),
        *("'", '"', "|", ">", "|\n ", "#", "!", "!!str ", "!!map ", "%YAML 1.1\n", "---\n", "...\n", "? ", "@", "`"),
        *("\\", "\\x", "\\u12", "\0", "\ufeff", "\x85", "é", "😀", "no", "1.10", "~", "${A}", "$", "\r\n", "\r"),
        *read_schema("zimagefile")["properties"],
        *("run", "copy", "to", "from"),
    ]
)
_PLAIN = st.sampled_from(["no", "1.10", "x", "", "~", "8080", "30s", "/a/b", "$A", "${B}", "alpine", "../x", "a b"])
_KEYS = st.sampled_from(
    [
        *read_schema("zimagefile")["properties"],
        *read_schema("zimagefile")["$defs"]["step"]["properties"],
        *read_schema("zbuild")["properties"],
        *read_schema("zbuild")["$defs"]["image"]["properties"],
        *("a", "b", "type", "target", "workdir", "context", "image", "cmd", "interval"),
    ]
)
_DATA = st.recursive(
    _PLAIN | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=25,
)


def _read_only_raises_its_own(data: bytes) -> None:
    with suppress(BuildFileError):
        parse_zimagefile(data, file="ZImagefile", folder=".")


@_SETTINGS
@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused(data):
    _read_only_raises_its_own(data)


@_SETTINGS
@given(st.lists(_TOKENS, max_size=40).map("".join))
def test_texts_that_look_like_yaml_are_read_or_refused(text):
    _read_only_raises_its_own(text.encode("utf-8", "surrogatepass"))


@_SETTINGS
@given(st.dictionaries(_KEYS, _DATA, max_size=8))
def test_files_of_the_right_keys_are_read_or_refused(data):
    _read_only_raises_its_own(yaml.safe_dump(data, allow_unicode=True).encode())


@_SETTINGS
@given(st.dictionaries(_KEYS, _DATA, max_size=8), st.dictionaries(_KEYS, _DATA, max_size=4))
def test_workspaces_are_read_or_refused(root, image):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "zbuild.yaml")
        path.write_text(yaml.safe_dump({**root, "images": {"a": image, "b": {}}}), encoding="utf-8")
        with suppress(BuildFileError):
            load_project(Path(folder))


def _texts(data: object) -> object:
    """Return what data must come back as: every scalar as its text."""
    if isinstance(data, dict):
        return {key: _texts(value) for key, value in data.items()}
    return [_texts(item) for item in data] if isinstance(data, list) else str(data)


def _plain(node: object) -> object:
    if isinstance(node, Mapping):
        return {key.text: _plain(value) for key, value in node.items}
    return [_plain(item) for item in node.items] if isinstance(node, Sequence) else node.text


@_SETTINGS
@given(st.dictionaries(_KEYS, _DATA, min_size=1, max_size=8))
def test_what_is_written_is_read_back(data):
    node = read_yaml(yaml.safe_dump(data).encode(), "f")
    assert _plain(node) == _texts(data)


@_SETTINGS
@given(st.text(st.sampled_from("ab \\'\"`{}$.-/"), max_size=12).filter(lambda text: "$" not in text))
def test_a_word_stands_for_its_text(text):
    assert expand(word(text), {}) == text


@_SETTINGS
@given(
    st.lists(st.sampled_from(["/", "a", "..", "b/", "/c", "."]), max_size=5), st.text("ab/.", min_size=1, max_size=8)
)
def test_sources_from_a_stage_are_absolute(workdirs, source):
    scope = Scope(".", Diagnostics(), names={"one": 0, "two": 1})
    scope.finish_stage("alpine", workdirs)
    path = scope.source_of_stage(Scalar(source), 0)
    assert path.startswith("/")
    assert path.endswith("/") or not source.endswith("/")
