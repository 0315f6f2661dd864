from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbuild.syntax.words import (
    MAX_LENGTH,
    FoldedEnv,
    WordError,
    expand,
    expand_known,
    expand_text,
    expand_with_uses,
    expand_words,
    quote,
)

DATA = Path(__file__).parents[1] / "data"
WORDS = json.loads((DATA / "words.json").read_text(encoding="utf-8"))
USES = json.loads((DATA / "word_uses.json").read_text(encoding="utf-8"))
ENV = {"PWD": "/home", "EMPTY": "", "SENTENCE": "two words", "FILE": "a/b.tar.gz"}


@pytest.mark.parametrize(("platform", "word", "expected"), WORDS["cases"])
def test_published_word_cases(platform, word, expected):
    env = FoldedEnv(WORDS["env"]) if platform == "windows" else WORDS["env"]
    if expected is None:
        with pytest.raises(WordError):
            expand(word, env)
    else:
        assert expand(word, env) == expected


@pytest.mark.parametrize("case", USES, ids=lambda case: case["word"])
def test_published_uses_cases(case):
    if case["expected"] is None:
        with pytest.raises(WordError):
            expand_with_uses(case["word"], case["env"])
        return
    expansion = expand_with_uses(case["word"], case["env"])
    assert expansion.text == case["expected"]
    assert sorted(expansion.matched) == case["matched"]
    assert sorted(expansion.unmatched) == case["unmatched"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a  b", ("a", "b")),
        ("a\\ b c", ("a b", "c")),
        ("'a b' \"c d\"", ("a b", "c d")),
        ("$SENTENCE", ("two", "words")),
        ('"$SENTENCE"', ("two words",)),
        ("x$SENTENCE-y", ("xtwo", "words-y")),
        ("$EMPTY \"\" ''", ()),
        ('a""b', ("ab",)),
        ("  ", ()),
        ("a\x1cb", ("a\x1cb",)),
        ("a\u2003b", ("a", "b")),
    ],
)
def test_words_are_split_at_unquoted_space(word, expected):
    assert expand_words(word, ENV) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("${FILE%.*}", "a/b.tar"),
        ("${FILE%%.*}", "a/b"),
        ("${FILE#*/}", "b.tar.gz"),
        ("${FILE##*.}", "gz"),
        ("${FILE%?z}", "a/b.tar."),
        ("${FILE%nothing}", "a/b.tar.gz"),
        ("${FILE/./-}", "a/b-tar.gz"),
        ("${FILE//./-}", "a/b-tar-gz"),
        ("${FILE/\\//-}", "a-b.tar.gz"),
        ("${FILE/a*/x}", "x"),
        ("${FILE//*/x}", "x"),
        ("${FILE/zz*/x}", "a/b.tar.gz"),
        ("${SENTENCE///-}", "-t-w-o- -w-o-r-d-s-"),
        ("${SENTENCE//o?/}", "twwds"),
    ],
)
def test_patterns(word, expected):
    assert expand(word, ENV) == expected


def test_stars_of_a_pattern_stop_at_line_ends():
    env = {"LINES": "one\ntwo\n"}
    assert expand("${LINES#*}", env) == "one\ntwo\n"
    assert expand("${LINES##*}", env) == "\ntwo\n"
    assert expand("${LINES/t*o/x}", env) == "one\nx\n"
    assert expand("${LINES/n*t/x}", env) == "one\ntwo\n"


@pytest.mark.parametrize(
    "word", ["${FILE#\\q}", "${FILE/\\q/x}", "${FILE#a\\", "${FILE/a}", "${FILE/a/b", '"open', "${"]
)
def test_bad_words_are_refused(word):
    with pytest.raises(WordError):
        expand(word, ENV)


def test_a_required_variable_tells_its_own_message():
    with pytest.raises(WordError, match="TOKEN: set me"):
        expand("${TOKEN:?set me}", ENV)
    with pytest.raises(WordError, match="EMPTY: is not allowed to be empty"):
        expand("${EMPTY:?}", ENV)


def test_operands_are_expanded_even_when_not_taken():
    with pytest.raises(WordError):
        expand("${PWD:-${MISSING?}}", ENV)
    assert expand_with_uses("${PWD:-$OTHER}", ENV).unmatched == {"OTHER"}


def test_the_backtick_as_escape_character():
    assert expand("C:\\dir`$PWD", ENV, escape="`") == "C:\\dir$PWD"
    assert expand('"a`"b\\n"', ENV, escape="`") == 'a"b\\n'
    assert expand_words("a` b", ENV, escape="`") == ("a b",)


def test_folded_names_are_found_in_any_case():
    env = FoldedEnv({"Path": "one", "PATH": "two"})
    assert expand("$path", env) == "two"
    assert list(env) == ["path"]
    assert len(env) == 1


def test_expansion_is_bounded():
    env = {"A": "x" * 1000}
    with pytest.raises(WordError, match="more than"):
        expand("$A" * 2000, env)
    with pytest.raises(WordError, match="more than"):
        expand("${A//x/$A$A}", env)
    assert len(expand("$A" * (MAX_LENGTH // 1000), env)) == MAX_LENGTH // 1000 * 1000


def test_deep_nesting_is_refused_not_a_crash():
    with pytest.raises(WordError, match="nested"):
        expand("${A:-" * 20_000, ENV)
    assert expand("${A:-" * 40 + "x" + "}" * 40, ENV) == "x"


def test_stars_do_not_backtrack():
    assert expand("${A##" + "*a" * 300 + "b}", {"A": "a" * 20_000}) == "a" * 20_000
    assert expand("${A//a*b/x}", {"A": "a" * 60_000}) == "a" * 60_000


@given(st.text(alphabet="ab*?", min_size=1, max_size=6), st.text(alphabet="abc", max_size=10))
def test_patterns_match_as_plain_regular_expressions_do(pattern, value):
    lazy, greedy = (pattern.replace("?", ".").replace("*", star) for star in (".*?", ".*"))
    env = {"V": value}
    assert expand(f"${{V/{pattern}/-}}", env) == re.sub(greedy, "-", value, count=1)
    assert expand(f"${{V#{pattern}}}", env) == re.sub(f"^{lazy}", "", value, count=1)
    assert expand(f"${{V##{pattern}}}", env) == re.sub(f"^{greedy}", "", value, count=1)
    mirrored = {"V": value[::-1]}
    assert expand(f"${{V%%{pattern[::-1]}}}", mirrored) == expand(f"${{V##{pattern}}}", env)[::-1]


@given(st.text(alphabet=st.characters(exclude_characters="$\\")))
def test_quote_gives_text_without_dollars_back(text):
    assert expand(quote(text), ENV) == text
    assert "".join(expand_words(quote(text), ENV)) == text


@given(st.text(alphabet="ab $\\\"'{}/`"))
def test_quote_gives_escaped_dollars_back(text):
    plain = text.replace("$", "")
    assert expand(quote(plain.replace("a", "\\$")), ENV) == plain.replace("a", "$")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$PWD/it's", "/home/it's"),
        ('${X:-it\'s "so"}', 'it\'s "so"'),
        ("\\$PWD", "$PWD"),
        ("C:\\new", "C:\\new"),
        ("${X:-a\\}b} \\}", "a}b \\}"),
        ("${FILE%.*}\\'", "a/b.tar\\'"),
        ("${X:-${Y:-\"}}'", "\"'"),
    ],
)
def test_quoted_text_still_expands_dollars(text, expected):
    assert expand(quote(text), ENV) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('it\'s "$A"\n', 'it\'s "1"\n'),
        ("\\$A \\n ${B:-\"$A'}\n", "$A n \"1'\n"),
        ("no variables ' here", "no variables ' here"),
    ],
)
def test_quotes_mean_nothing_in_a_here_document(text, expected):
    assert expand_text(text, {"A": "1"}) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$A/$B", "1/$B"),
        ("${B:-$A}${A:+$B}${A:-2}", "${B:-$A}${A:+$B}1"),
        ("\"x $A\" '$A' \\$A ${B#$A}", "x 1 $A $A ${B#$A}"),
        ("${A/${B}/x}", "${A/${B}/x}"),
    ],
)
def test_what_is_not_known_stays_as_it_is_written(word, expected):
    assert expand_known(word, {"A": "1"}) == expected


@given(st.text(alphabet="ab$\\\"'{}:-+?#%/* `"))
def test_any_word_expands_or_is_refused(word):
    for escape in "\\`":
        try:
            text = expand(word, ENV, escape=escape)
        except WordError:
            continue
        assert expand_with_uses(word, ENV, escape=escape).text == text
