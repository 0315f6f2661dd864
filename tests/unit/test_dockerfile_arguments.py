from __future__ import annotations

import pytest

from zbuild.frontend.dockerfile.arguments import NotStringsError, fields, json_strings, quoted_words
from zbuild.frontend.dockerfile.flags import split_flags


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("a  b\tc", ("a", "b", "c")),
        ("a='x y' b", ("a='x y'", "b")),
        ('a="x \\" y" b', ('a="x \\" y"', "b")),
        ("a=x\\ y b", ("a=x\\ y", "b")),
        ("a='x\\' b", ("a='x\\'", "b")),
        ('a="open b', ('a="open b',)),
        ("a='open b", ("a='open b",)),
        ("a=b\\", ("a=b",)),
        ('a="b\\', ('a="b',)),
        ("\\", ()),
        ("'' \"\"", ("''", '""')),
    ],
)
def test_quoted_words(text, words):
    assert quoted_words(text, "\\") == words


def test_quoted_words_with_a_backtick():
    assert quoted_words("a=C:\\ b=x` y", "`") == ("a=C:\\", "b=x` y")


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        ('["a", "b"]', ("a", "b")),
        ("[]", ()),
        ('[ "a" ]', ("a",)),
        ('["a"', None),
        ('["a"] b', None),
        ("['a']", None),
        ('{"a": "b"}', None),
        ('"a"', None),
        ("[Infinity]", None),
        ("[" * 100_000, None),
        ('["\\ud83d\\ude00 \\ud800"]', ("\U0001f600 \ufffd",)),
    ],
)
def test_json_strings(text, strings):
    assert json_strings(text) == strings


@pytest.mark.parametrize("text", ["[1]", '["a", null]', "[[]]", '[{"a": 1}]', "[true]"])
def test_arrays_of_other_things_are_refused(text):
    with pytest.raises(NotStringsError):
        json_strings(text)


def test_fields_know_no_quotes():
    assert fields("a 'b c'\t d") == ("a", "'b", "c'", "d")
    assert fields("") == ()


@pytest.mark.parametrize(
    ("text", "flags", "rest"),
    [
        ("a b", [], "a b"),
        ("--a=b --c rest", ["--a=b", "--c"], " rest"),
        ("--a='x y' rest", ["--a=x y"], " rest"),
        ('--a="it\'s" rest', ["--a=it's"], " rest"),
        ("--a='it\\'s' rest", ["--a=it's"], " rest"),
        ("--a=x\\ y rest", ["--a=x y"], " rest"),
        ("--a=1 -- --b rest", ["--a=1"], " --b rest"),
        ("- --a", [], "- --a"),
        ('--a=["b", "c"]', ["--a=[b,"], ' "c"]'),
        ("--a='' --b=\"\"'c' rest", ["--a=", "--b=c"], " rest"),
        ('--a="open rest', ["--a=open rest"], ""),
        ('--a="x\\', ["--a=x"], ""),
        ('--a="x"\\', ["--a=x"], ""),
        ("--a=b\\", ["--a=b"], ""),
    ],
)
def test_split_flags(text, flags, rest):
    found, end = split_flags(text, 0, "\\")
    assert [flag for _, flag in found] == flags
    assert text[end:] == rest
    assert all(text.startswith("--", offset) for offset, _ in found)
