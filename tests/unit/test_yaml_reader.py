from __future__ import annotations

import pytest
import yaml

from zbuild.base.errors import BuildFileError
from zbuild.syntax import yaml_reader
from zbuild.syntax.nodes import Mapping, Scalar, Sequence
from zbuild.syntax.yaml_reader import MAX_BYTES, MAX_DEPTH, MAX_NODES, read_yaml


def _problem(data: bytes) -> tuple[str, str]:
    with pytest.raises(BuildFileError) as caught:
        read_yaml(data, "f")
    (problem,) = caught.value.diagnostics
    return problem.code, str(problem.span)


def _values(text: str) -> dict[str, str]:
    node = read_yaml(text.encode(), "f")
    assert isinstance(node, Mapping)
    return {key.text: value.text for key, value in node.pairs()}


def test_nodes_know_their_places():
    node = read_yaml(b"a: x\nb:\n  - y\n  - {c: 'z'}\n", "f")
    assert node == Mapping(
        (
            (Scalar("a"), Scalar("x")),
            (Scalar("b"), Sequence((Scalar("y"), Mapping(((Scalar("c"), Scalar("z", plain=False)),))))),
        )
    )
    assert isinstance(node, Mapping)
    assert str(node.place("b")) == "f:2:1"
    (item,) = node.mappings("b")
    assert str(item.span) == "f:4:5"
    assert str(item.scalars("c")[0].span) == "f:4:9"


def test_scalars_keep_the_text_that_stands_in_the_file():
    texts = ["no", "1.10", "22:22", "0755", "0x10", "1e3", "2024-01-01", "~", "null", "=", ".inf", "1_000"]
    assert list(_values("".join(f"k{i}: {text}\n" for i, text in enumerate(texts))).values()) == [
        "" if text in ("~", "null") else text for text in texts
    ]


@pytest.mark.parametrize("word", ["true", "True", "yes", "on", "ON"])
def test_a_plain_word_can_be_true(word):
    assert Scalar(word).boolean is True
    assert Scalar(word, plain=False).boolean is None


@pytest.mark.parametrize(("text", "number"), [("8080", 8080), ("-1", -1), ("1.0", None), ("9" * 19, None), ("٣", None)])
def test_a_plain_scalar_can_be_a_whole_number(text, number):
    assert Scalar(text).integer == number
    assert Scalar(text, plain=False).integer is None


@pytest.mark.parametrize("text", ["", "~", "null"])
def test_a_plain_scalar_can_be_nothing(text):
    assert Scalar(text).is_null
    assert not Scalar(text, plain=False).is_null


def test_a_byte_order_mark_at_the_start_is_no_text():
    assert _values("\ufeffa: x") == {"a": "x"}


def test_a_tag_of_yaml_itself_is_taken():
    node = read_yaml(b"!!str 8080", "f")
    assert isinstance(node, Scalar)
    assert (node.text, node.integer) == ("8080", None)


def test_merge_keys_take_over_what_is_not_given():
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], c: 3}\n"
    node = read_yaml(text.encode(), "f")
    assert isinstance(node, Mapping)
    assert {key.text: value.text for key, value in node.mapping("z").pairs()} == {"a": "1", "b": "1", "c": "3"}


@pytest.mark.parametrize(
    ("data", "code", "span"),
    [
        (b"", "empty-file", "f:1:1"),
        (b"# nothing\n", "empty-file", "f:1:1"),
        (b"a: 1\na: 2\n", "duplicate-key", "f:2:1"),
        (b"a: 1\n'a': 2\n", "duplicate-key", "f:2:1"),
        (b"a:\n\tb: 1\n", "bad-yaml", "f:2:1"),
        (b"a: b: c\n", "bad-yaml", "f:1:5"),
        (b"a: [b\n", "bad-yaml", "f:1:4"),
        (b"%YAML 99.1\n--- a\n", "bad-yaml", "f:1:1"),
        (b"--- a\n--- b\n", "several-documents", "f:2:1"),
        (b"\xff\xfea\x00", "not-utf8", "f:1:1"),
        (b"a: x\nb: \xe4\n", "not-utf8", "f:2:4"),
        (b"a: x\x00y\n", "bad-character", "f:1:5"),
        (b"a: x\ny\x1b: y\n", "bad-character", "f:2:2"),
        ("a: \ufeffx".encode(), "bad-character", "f:1:4"),
        (b'a: "\\0"\n', "bad-character", "f:1:4"),
        (b'a: "\\ud800"\n', "bad-yaml", "f:1:7"),
        (b'a: "\\U00110000"\n', "bad-yaml", "f:1:7"),
        (b"a: !!python/object:os.system x\n", "bad-tag", "f:1:4"),
        (b"a: !!binary eA==\n", "bad-tag", "f:1:4"),
        (b"a: !mine x\n", "bad-tag", "f:1:4"),
        (b"a: *b\n", "bad-alias", "f:1:4"),
        (b"a: &a [*a]\n", "bad-alias", "f:1:8"),
        (b"[a]: b\n", "bad-key", "f:1:1"),
        (b"<<: 3\n", "bad-merge", "f:1:1"),
    ],
)
def test_what_is_no_yaml_for_build_files_is_refused_with_its_place(data, code, span):
    assert _problem(data) == (code, span)


def test_a_variable_without_quotes_in_brackets_gets_a_hint():
    with pytest.raises(BuildFileError) as caught:
        read_yaml(b"tags: [${NAME}/x]\n", "f")
    assert caught.value.hint == "inside [ ] and { }, texts with '${NAME}' need quotes"


@pytest.mark.parametrize("opening", [b"[", b"{", b"- ", b"? ", b"{a: ", b"[{a: ", b"&a [", b"!!seq [", b"- - ? "])
def test_deep_nesting_is_refused_before_it_can_crash_anything(opening):
    assert _problem(opening * 100_000)[0] in ("too-deep", "bad-yaml")


def test_nesting_up_to_the_limit_is_read():
    depth = MAX_DEPTH - 1
    assert isinstance(read_yaml(b"[" * depth + b"x" + b"]" * depth, "f"), Sequence)
    assert _problem(b"[" * (depth + 1) + b"x" + b"]" * (depth + 1)) == ("too-deep", f"f:1:{depth + 2}")


def test_aliases_count_as_what_they_repeat():
    rows = [f"{chr(97 + i)}: &{chr(97 + i)} [{','.join([f'*{chr(96 + i)}'] * 9) if i else 'x'}]" for i in range(12)]
    assert _problem("\n".join(rows).encode())[0] == "too-many-nodes"


def test_aliases_count_as_deep_as_what_they_repeat():
    rows = ["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 5_000))]
    assert _problem("\n".join(rows).encode())[0] == "too-deep"


def test_merge_keys_count_too():
    rows = ["a0: &a0 {x: 1}", *(f"a{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 9)}], k{i}: 1}}" for i in range(1, 9))]
    assert _problem("\n".join(rows).encode())[0] == "too-many-nodes"


def test_size_is_limited():
    assert _problem(b"a" * (MAX_BYTES + 1))[0] == "too-large"
    assert _problem(b"- a\n" * (MAX_NODES + 1))[0] == "too-many-nodes"


def test_tag_directives_are_refused_before_they_are_compared_with_each_other():
    lines = b"".join(b"%%TAG !%d! x\n" % number for number in range(200_000))
    assert _problem(b"%YAML 1.1\n" + lines + b"--- a\n") == ("bad-tag", "f:2:1")


def test_long_names_do_not_flood_messages():
    with pytest.raises(BuildFileError) as caught:
        read_yaml(b"*" + b"a" * 1_000_000, "f")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'"\\U00110000"', b'"\\ud800"', b"%YAML 1.\n--- a", b"a: *b", b"? ?", b"!<"]
)
def test_the_same_holds_where_libyaml_is_missing(data, monkeypatch):
    monkeypatch.setattr(yaml_reader, "_LOADER", yaml.SafeLoader)
    with pytest.raises(BuildFileError):
        yaml_reader.read_yaml(data, "f")
