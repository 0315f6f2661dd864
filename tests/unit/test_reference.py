from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbuild.base import reference as module
from zbuild.base.gomatch import PatternError
from zbuild.base.reference import Reference, normalise, parse_any, parse_reference, qualify
from zbuild.base.reference import ReferenceError as BadReferenceError

TABLE = json.loads((Path(__file__).parents[1] / "data" / "references.json").read_text(encoding="utf-8"))
KINDS = {
    "ErrReferenceInvalidFormat": "format",
    "ErrNameContainsUppercase": "uppercase",
    "ErrNameTooLong": "too-long",
    "ErrNameEmpty": "empty",
    "digest.ErrDigestInvalidLength": "digest-length",
    "digest.ErrDigestUnsupported": "digest-unsupported",
}
SHA = "sha256:" + "f" * 64


def rows(name):
    return pytest.mark.parametrize("row", TABLE[name], ids=lambda row: str(row)[:60])


@rows("TestReferenceParse")
def test_published_parse_cases(row):
    if "err" in row:
        with pytest.raises(BadReferenceError) as caught:
            parse_reference(row["input"])
        assert caught.value.kind == KINDS[row["err"]["go_sym"]]
        return
    reference = parse_reference(row["input"])
    assert reference.name == row["repository"]
    assert reference.domain == row.get("domain", "")
    assert reference.tag == row.get("tag", "")
    assert reference.digest == row.get("digest", "")
    assert str(reference) == row["input"]


@rows("TestWithNameFailure")
def test_published_bad_names(row):
    with pytest.raises(BadReferenceError):
        parse_reference(f"{row['input']}:tag")


@rows("TestDomainAndPath")
def test_published_domains(row):
    reference = parse_reference(row["input"])
    assert (reference.domain, reference.path) == (row["domain"], row["path"])


@rows("TestParseNamed")
@pytest.mark.parametrize("parse", [parse_reference, qualify])
def test_published_named_cases(parse, row):
    reference = parse(row["input"])
    assert (reference.domain, reference.path) == (row["domain"], row["path"])


@rows("TestWithTag")
def test_published_tag_cases(row):
    assert str(parse_reference(f"{row['name']}:{row['tag']}")) == row["combined"]


@rows("TestWithDigest")
def test_published_digest_cases(row):
    name = parse_reference(row["name"])
    assert str(Reference(name.domain, name.path, digest=row["digest"])) == row["combined"]


@rows("TestValidateReferenceName.validRepoNames")
def test_published_valid_names(row):
    assert qualify(row).path


@rows("TestValidateReferenceName.invalidRepoNames")
def test_published_invalid_names(row):
    with pytest.raises(BadReferenceError):
        qualify(row)


@rows("TestValidateRemoteName.validRepositoryNames")
def test_published_valid_paths(row):
    assert qualify(row).domain == "docker.io"


@rows("TestValidateRemoteName.invalidRepositoryNames")
def test_published_invalid_paths(row):
    with pytest.raises(BadReferenceError):
        qualify(row)


@rows("TestParseRepositoryInfo")
def test_published_repositories(row):
    for text in filter(None, (row["FamiliarName"], row["FullName"], row["AmbiguousName"])):
        reference = qualify(text)
        assert reference.domain == row["Domain"]
        assert reference.path == row["RemoteName"]
        assert str(reference) == row["FullName"]
        assert str(reference.familiar()) == row["FamiliarName"]


@rows("TestParseAnyReference")
def test_published_any_cases(row):
    assert str(parse_any(row["Reference"])) == row["Equivalent"]


@rows("TestNormalizedSplitHostname")
def test_published_split_cases(row):
    reference = qualify(row["input"])
    assert (reference.domain, reference.path) == (row["domain"], row["path"])


@rows("TestMatch")
def test_published_match_cases(row):
    assert qualify(row["reference"]).matches(row["pattern"]) is row["expected"]


@rows("TestParseDockerRef")
def test_published_normalised_cases(row):
    assert str(normalise(row["input"])) == row["expected"]


@pytest.mark.parametrize(
    ("table", "grammar"),
    [
        ("TestDomainRegexp", re.compile(module._DOMAIN)),
        ("TestFullNameRegexp", re.compile(module._NAME)),
        ("TestReferenceRegexp", re.compile(f"({module._NAME})(?::({module._TAG}))?(?:@({module._DIGEST}))?")),
        ("TestIdentifierRegexp", module._IDENTIFIER),
    ],
)
def test_published_grammar_cases(table, grammar):
    for row in TABLE[table]:
        match = grammar.fullmatch(row["input"])
        assert bool(match) is row["match"], row
        if match and table == "TestFullNameRegexp":
            assert [match["domain"] or "", match["path"]] == row["subs"]
        elif match and "subs" in row:
            assert [match[1], match[4] or "", match[5] or ""] == row["subs"]


def test_every_published_table_is_run():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in TABLE if f'"{name}"' not in source] == []


@pytest.mark.parametrize(
    ("text", "registry", "expected"),
    [
        ("app", "", "docker.io/library/app:latest"),
        ("app", "registry.example:5000", "registry.example:5000/app:latest"),
        ("team/app:1", "registry.example/mirror", "registry.example/mirror/team/app:1"),
        ("localhost/app", "registry.example", "localhost/app:latest"),
        ("ghcr.io/app", "registry.example", "ghcr.io/app:latest"),
        ("index.docker.io/app", "", "docker.io/library/app:latest"),
        ("app", "docker.io", "docker.io/library/app:latest"),
        (f"app:1@{SHA}", "", f"docker.io/library/app@{SHA}"),
    ],
)
def test_normalise(text, registry, expected):
    assert str(normalise(text, registry)) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        ("/app", "format"),
        ("app:", "format"),
        ("App", "uppercase"),
        ("a b", "format"),
        ("app\n", "format"),
        ("f" * 64, "identifier"),
        ("app@sha256:" + "F" * 64, "digest-format"),
        ("app@sha256:" + "f" * 65, "digest-length"),
        ("app@md5:" + "f" * 32, "digest-unsupported"),
    ],
)
def test_normalise_says_what_is_wrong(text, kind):
    with pytest.raises(BadReferenceError) as caught:
        normalise(text)
    assert caught.value.kind == kind
    assert "docker.io" not in str(caught.value)


@pytest.mark.parametrize("text", ["f" * 64, SHA])
def test_image_ids_and_digests_have_no_path(text):
    reference = parse_any(text)
    assert (reference.domain, reference.path) == ("", "")
    assert str(reference) == "sha256:" + "f" * 64


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ap?", True),
        ("a\\pp", True),
        ("[a-c]pp", True),
        ("[^b]pp", True),
        ("*:v1", True),
        ("a/*", False),
        ("ap[z-a]", False),
    ],
)
def test_patterns(pattern, expected):
    assert qualify("app:v1").matches(pattern) is expected


@pytest.mark.parametrize("pattern", ["[", "a[", "[]a]", "[a-]", "app\\"])
def test_bad_patterns(pattern):
    with pytest.raises(PatternError):
        qualify("app:v1").matches(pattern)


@given(st.text(alphabet="aZ0._-/:@[]", max_size=60))
def test_what_parses_is_given_back(text):
    try:
        reference = parse_reference(text)
    except BadReferenceError:
        return
    assert str(reference) == text
    assert normalise(str(normalise(text))) == normalise(text)


def test_long_references_are_refused_quickly():
    for text in ("a" * 200_000 + "!", "a." * 100_000 + "!", "a-" * 100_000, "a/" * 100_000, "a:" * 100_000):
        with pytest.raises(BadReferenceError):
            parse_reference(text)
