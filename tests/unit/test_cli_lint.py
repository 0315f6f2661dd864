from __future__ import annotations

import json
from pathlib import Path

import pytest

from zbuild.api.options import BuildOptions
from zbuild.api.workspace import Workspace
from zbuild.base.errors import BuildFileError
from zbuild.cli.main import run
from zbuild.cli.session import Session
from zbuild.events.types import Notice
from zbuild.frontend.lint.rules import RULES

ROOT = Path(__file__).parents[2]
CASING = "FROM scratch as one\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text(CASING)
    return tmp_path


def lint(*words: str) -> int:
    return run(["lint", *words], Session())


@pytest.mark.usefixtures("root")
def test_a_file_needs_no_workspace(capsys):
    assert lint("app/Dockerfile") == 0
    assert capsys.readouterr().out.splitlines() == [
        "app/Dockerfile:1:1: warning[FromAsCasing]: 'FROM' and 'as' differ in their case",
        "    1 | FROM scratch as one",
        "      | ^",
        "  hint: see https://docs.docker.com/go/dockerfile/rule/from-as-casing/",
        "1 file, 1 warning",
    ]


def test_a_file_may_be_a_link_to_anywhere(root, capsys):
    (root / "elsewhere").mkdir()
    (root / "elsewhere" / "Dockerfile").symlink_to("../app/Dockerfile")
    assert lint("elsewhere/Dockerfile") == 0
    assert capsys.readouterr().out.startswith("elsewhere/Dockerfile:1:1: warning[FromAsCasing]")


def test_findings_count_as_a_failure_when_that_is_asked_for(root, capsys):
    assert lint("app/Dockerfile", "--error") == 1
    assert lint("app/Dockerfile", "--error", "--skip", "FromAsCasing") == 0
    assert lint("app/Dockerfile", "--error", "--skip", "all") == 0
    assert capsys.readouterr().out.endswith("1 file, no findings\n")
    (root / "app" / "Dockerfile").write_text(f"# check=error=true\n{CASING}")
    assert lint("app/Dockerfile") == 1


def test_errors_of_a_file_are_told_with_what_else_is_found(root, capsys):
    (root / "app" / "Dockerfile").write_text(f"{CASING}RUM x\n")
    assert lint("app/Dockerfile", "--error") == 2
    assert capsys.readouterr().out.endswith("1 file, 1 error, 1 warning\n")


@pytest.mark.usefixtures("root")
def test_json_is_for_programs(capsys):
    assert lint("app/Dockerfile", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "rule": "FromAsCasing",
            "severity": "warning",
            "message": "'FROM' and 'as' differ in their case",
            "file": "app/Dockerfile",
            "line": 1,
            "column": 1,
            "url": "https://docs.docker.com/go/dockerfile/rule/from-as-casing/",
        }
    ]


def test_targets_and_files_can_be_mixed(root, capsys):
    (root / "zbuild.yaml").write_text("images:\n  app: {context: app}\n  other: {base: scratch, cmd: x}\n")
    assert lint() == 0
    assert capsys.readouterr().out.endswith("2 files, 2 warnings\n")
    assert lint("other", "app/Dockerfile", "--skip", "JSONArgsRecommended") == 0
    assert capsys.readouterr().out.endswith("2 files, 1 warning\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing",), "there is no file 'nothing', and no workspace"),
        ((), "there is no zbuild.yaml"),
        (("zbuild.yaml",), "zbuild.yaml is a workspace"),
        (("--skip", "UndefinedVr"), "did you mean 'UndefinedVar'?"),
    ],
)
def test_wrong_usage_is_told(root, capsys, words, told):
    if words == ("zbuild.yaml",):
        (root / "zbuild.yaml").write_text("images: {}\n")
    assert lint(*words) == 2
    assert told in capsys.readouterr().err


def test_experimental_rules_are_asked_for(root):
    (root / "app" / "Dockerfile").write_text("# about\nFROM scratch AS one\n")
    assert lint("app/Dockerfile", "--error") == 0
    assert lint("app/Dockerfile", "--error", "--experimental", "InvalidDefinitionDescription") == 1


@pytest.fixture
def workspace(root):
    (root / "zbuild.yaml").write_text("images:\n  one: {file: app/Dockerfile}\n  two: {file: app/Dockerfile}\n")
    return Workspace(root)


def test_validate_tells_each_finding_once(workspace):
    assert [item.code for item in workspace.validate()] == ["FromAsCasing"]


def test_a_graph_is_kept_with_its_warnings(workspace, root, monkeypatch):
    with (root / "zbuild.yaml").open("a") as file:
        file.write("include: [none/*]\n")
    monkeypatch.setattr("zbuild.api.graphs.settled", lambda _rows, _began: True)
    first = workspace.validate()
    monkeypatch.setattr("zbuild.api.graphs._make", None)  # nothing may be read again
    assert workspace.validate() == first
    assert [item.code for item in first] == ["empty-include", "FromAsCasing"]


def test_a_changed_ignore_file_makes_a_kept_graph_anew(workspace, root, monkeypatch):
    (root / "app" / "Dockerfile").write_text("FROM scratch\nCOPY x /\n")
    monkeypatch.setattr("zbuild.api.graphs.settled", lambda _rows, _began: True)
    assert workspace.validate() == ()
    (root / ".dockerignore").write_text("x\n")
    assert [item.code for item in workspace.validate()] == ["CopyIgnoredFile"]


def test_a_build_counts_findings(workspace):
    heard = []
    workspace.build((), BuildOptions(backend="fake"), heard.append)
    notices = [event.message for event in heard if isinstance(event, Notice) and event.level == "warning"]
    assert notices == ["1 lint warning, see 'zbuild lint'"]


def test_a_file_may_refuse_to_be_built(workspace, root):
    (root / "app" / "Dockerfile").write_text(f"# check=error=true\n{CASING}")
    with pytest.raises(BuildFileError) as raised:
        workspace.build((), BuildOptions(backend="fake"))
    assert [item.code for item in raised.value.diagnostics] == ["FromAsCasing"]


def test_the_table_of_the_docs_is_the_table_of_rules():
    text = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    assert rows == [
        f"| [{rule.name}]({rule.url}) | {rule.description}{' (experimental)' if rule.experimental else ''} |"
        for rule in RULES
    ]


@pytest.mark.parametrize("name", ["zbuild", "zimagefile"])
def test_schemas_are_printed_as_they_are_published(name, capsys):
    assert run(["schema", name], Session()) == 0
    assert capsys.readouterr().out == (ROOT / "schemas" / "v1" / f"{name}.schema.json").read_text(encoding="utf-8")


def test_every_published_schema_can_be_printed(capsys):
    assert run(["schema", "nothing"], Session()) == 2
    told = capsys.readouterr().err
    assert all(f"'{path.name.partition('.')[0]}'" in told for path in (ROOT / "schemas" / "v1").iterdir())
