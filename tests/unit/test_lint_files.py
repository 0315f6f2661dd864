from __future__ import annotations

from time import process_time

import pytest

from zbuild.api.lint import IgnoredPaths, lint_images
from zbuild.base.errors import BuildFileError, UsageError
from zbuild.base.span import Span
from zbuild.frontend.lint.choices import LintChoices
from zbuild.frontend.lint.lint import lint_dockerfile
from zbuild.frontend.load import load_project

CASING = "FROM scratch as one\n"


def found(linted):
    return [f"{item.span.file}:{item.span.line} {item.code}" for item in linted.warnings]


def workspace(root, text, **files):
    for path, content in {"zbuild.yaml": text, **files}.items():
        target = root / path.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    return load_project(root)


def test_the_directive_of_a_file_and_the_callers_choices_both_hold():
    text = b"# check=skip=FromAsCasing\nFROM scratch as One\nMAINTAINER me\n"
    assert found(lint_dockerfile(text, "D")) == ["D:2 StageNameCasing", "D:3 MaintainerDeprecated"]
    skip = LintChoices(frozenset({"StageNameCasing"}))
    assert found(lint_dockerfile(text, "D", skip)) == ["D:3 MaintainerDeprecated"]


def test_a_wrong_directive_is_an_error_at_its_place():
    (error,) = lint_dockerfile(b"# syntax=x\n# check=skp=A\nFROM scratch\n", "D").errors
    assert (error.code, error.span) == ("bad-directive", Span("D", 2))


def test_a_file_with_errors_is_still_checked_for_how_it_is_written():
    linted = lint_dockerfile(b"FROM scratch as one\nRUM x\nCMD y\n", "D")
    assert [item.code for item in linted.errors] == ["unknown-instruction"]
    assert found(linted) == ["D:1 FromAsCasing"]
    with pytest.raises(BuildFileError) as raised:
        linted.accepted()
    assert raised.value.diagnostics == linted.errors


def test_findings_refuse_a_build_where_the_file_says_so():
    assert lint_dockerfile(CASING.encode(), "D").accepted().stages
    linted = lint_dockerfile(f"# check=error=true\n{CASING}".encode(), "D")
    with pytest.raises(BuildFileError) as raised:
        linted.accepted()
    assert [(item.code, item.severity) for item in raised.value.diagnostics] == [("FromAsCasing", "error")]
    assert lint_dockerfile(b"# check=error=true\nFROM scratch\n", "D").accepted().stages


def test_findings_come_in_the_order_of_the_file_and_once():
    text = b"FROM scratch\nENV A=$b$b\nCOPY $b /\nENV $b=$b\n"
    assert found(lint_dockerfile(text, "D")) == [f"D:{line} UndefinedVar" for line in (2, 3, 4)]


def test_a_rule_does_not_flood():
    assert len(lint_dockerfile(b"FROM scratch\n" + b"MAINTAINER me\n" * 1000, "D").warnings) == 100


def test_every_build_file_of_the_images_is_checked_once(tmp_path):
    project = workspace(
        tmp_path,
        "images:\n  a: {file: Dockerfile}\n  b: {file: Dockerfile, tags: [b]}\n  c: {context: c}\n"
        "  d: {base: scratch, cmd: inline}\n",
        Dockerfile=CASING,
        c__ZImagefile="build: {workdir: nested}\ncmd: x\n",
        c__nested__Dockerfile=CASING,
    )
    linted = lint_images(project, (), LintChoices())
    assert [line for item in linted for line in found(item)] == [
        "zbuild.yaml:5 JSONArgsRecommended",
        "Dockerfile:1 FromAsCasing",
        "c/ZImagefile:2 JSONArgsRecommended",
        "c/nested/Dockerfile:1 FromAsCasing",
    ]
    assert [item.file for item in lint_images(project, ["c"], LintChoices())] == ["c/ZImagefile", "c/nested/Dockerfile"]
    with pytest.raises(UsageError, match="named 'e'"):
        lint_images(project, ["e"], LintChoices())


def test_a_missing_build_file_does_not_keep_the_others_from_being_checked(tmp_path):
    (tmp_path / "y").mkdir()
    project = workspace(tmp_path, "images:\n  a: {context: y}\n  b: {file: Dockerfile}\n", Dockerfile=CASING)
    first, second = lint_images(project, (), LintChoices())
    assert [item.code for item in first.errors] == ["missing-file"]
    assert found(second) == ["Dockerfile:1 FromAsCasing"]


def test_the_ignore_file_of_the_build_counts_and_is_noted(tmp_path):
    (tmp_path / "D.dockerignore").write_text("secret\n")
    (tmp_path / ".dockerignore").write_text("other\n")
    seen: dict[str, None] = {}
    ignored = IgnoredPaths(tmp_path, ".", "D", seen)
    assert not seen
    assert ignored("secret/file")
    assert ignored("/secret")
    assert not ignored("other")
    assert {str(tmp_path / "D.dockerignore"), str(tmp_path / ".dockerignore")} <= set(seen)


@pytest.mark.parametrize("text", ["secret\n!secret/but\n", "[\n"])
def test_an_ignore_file_that_takes_back_in_or_is_wrong_ignores_nothing(tmp_path, text):
    (tmp_path / ".dockerignore").write_text(text)
    assert not IgnoredPaths(tmp_path, ".", "")("secret")


@pytest.mark.parametrize(
    "text",
    [
        b"FROM scratch AS a\n" + b"".join(b"FROM a AS a%d\nENV N%d=1\n" % (n, n) for n in range(3000)),
        b"".join(b"FROM a%d AS a%d\nENV N%d=$x\n" % (n, n + 1, n) for n in range(3000)),
        b"FROM scratch\nENV A=0123456789\n" + b"ENV A=$A$A$A$A$A$A$A$A\n" * 2000,
        b"FROM scratch\n" + b"".join(b"ENV N%d=$M%d\n" % (n, n) for n in range(3000)),
    ],
    ids=["many stages upon one", "a long chain of stages", "growing values", "many unknown names"],
)
def test_hostile_files_do_not_stall(text):
    start = process_time()
    lint_dockerfile(text, "D")
    assert process_time() - start < 10
