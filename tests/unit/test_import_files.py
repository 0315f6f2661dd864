"""Bake and Compose files as zbuild.yaml."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from zbuild.api.convert import import_file
from zbuild.base.errors import BuildFileError
from zbuild.cli.main import run
from zbuild.cli.session import Session
from zbuild.frontend.load import load_project

if TYPE_CHECKING:
    from pathlib import Path

BAKE = {
    "group": {"default": {"targets": ["api", "web"]}},
    "variable": {"TAG": {"default": "1.0"}, "SUM": {"default": "${add(1, 2)}"}},
    "target": {
        "_common": {"args": {"A": "1", "B": "2"}, "platforms": ["linux/amd64"], "labels": {"team": "web"}},
        "api": {
            "inherits": ["_common"],
            "context": "api",
            "dockerfile": "Dockerfile.prod",
            "args": {"B": "3", "C": None},
            "tags": ["shop/api:${TAG}", "shop/api:${BUILD}"],
            "target": "service",
            "contexts": {"base": "target:base", "docs": "./docs"},
            "cache-from": ["type=gha"],
            "no-cache": True,
            "pull": True,
        },
        "web": {"context": "web"},
        "base": {"context": "base"},
        "remote": {"context": "https://example.test/x.git"},
        "computed": {"context": "web", "tags": ["${upper(TAG)}"]},
    },
}
COMPOSE = """\
services:
  db: {image: postgres}
  base: {build: ./base}
  api:
    image: shop/api:${TAG:-1.0}
    platform: linux/amd64
    depends_on: [db]
    build:
      context: api
      dockerfile: docker/Dockerfile
      target: service
      args: [A=1, "B=$$x", TOKEN]
      labels: {team: web}
      additional_contexts: {base: "service:base", docs: ./docs}
      cache_from: [x]
      tags: ["shop/api:$EXTRA"]
"""


def imported(root: Path, name: str, text: str, folder: Path | None = None):
    (root / name).write_text(text)
    printed = import_file(root, name, folder or root)
    return yaml.safe_load(printed.text), [problem.message for problem in printed.problems], printed.text


def folders(root: Path) -> None:
    for name in ("api/docker", "web", "base"):
        (root / name).mkdir(parents=True)
        (root / name / "Dockerfile").write_text("FROM scratch\n")
    (root / "api/Dockerfile.prod").write_text("FROM scratch AS service\n")


def test_a_bake_file_s_targets_become_images(tmp_path: Path) -> None:
    content, told, text = imported(tmp_path, "docker-bake.json", json.dumps(BAKE, indent="\t"))
    assert content["vars"] == {"TAG": "1.0", "SUM": "", "BUILD": ""}
    assert content["groups"] == {"default": ["api", "web"]}
    assert list(content["images"]) == ["api", "web", "base"]
    assert content["images"]["api"] == {
        "context": "api",
        "file": "api/Dockerfile.prod",
        "tags": ["shop/api:${TAG}", "shop/api:${BUILD}"],
        "platforms": ["linux/amd64"],
        "build_args": {"A": "1", "B": "3"},
        "labels": {"team": "web"},
        "target": "service",
        "no_cache": True,
        "pull": "newer",
        "depends_on": ["base"],
    }
    assert told == [
        "the variable 'SUM', whose default is computed, is not taken over",
        "'cache-from' of target 'api' is not taken over",
        "'C' of 'api', which has no value here, is not taken over",
        "the context 'base', but for its order, is not taken over",
        "the context 'docs' is not taken over",
        "the context 'https://example.test/x.git', which is no folder, is not taken over",
        "'tags' of target 'computed', which is computed, is not taken over",
    ]
    folders(tmp_path)
    (tmp_path / "zbuild.yaml").write_text(text)
    project = load_project(tmp_path, variables={"BUILD": "7"})
    assert project.images[0].tags == ("shop/api:1.0", "shop/api:7")


def test_hcl_s_json_form_may_hold_lists_of_blocks(tmp_path: Path) -> None:
    text = json.dumps({"target": [{"a": [{"context": "x"}]}, {"b": {"inherits": ["a", "b"]}}]})
    content, _, _ = imported(tmp_path, "bake.json", text)
    assert content["images"] == {"a": {"context": "x"}, "b": {"context": "x"}}


def test_a_compose_file_s_services_that_are_built_become_images(tmp_path: Path) -> None:
    content, told, text = imported(tmp_path, "compose.yaml", COMPOSE)
    assert content["vars"] == {"TAG": "1.0", "EXTRA": ""}
    assert content["images"] == {
        "base": {"context": "base"},
        "api": {
            "context": "api",
            "file": "api/docker/Dockerfile",
            "tags": ["shop/api:${TAG}", "shop/api:${EXTRA}"],
            "build_args": {"A": "1", "B": "$x"},
            "labels": {"team": "web"},
            "platforms": ["linux/amd64"],
            "target": "service",
            "depends_on": ["base"],
        },
    }
    assert told == [
        "'cache_from' of service 'api' is not taken over",
        "'TOKEN', which has no value here, is not taken over",
        "the context 'base', but for its order, is not taken over",
        "the context 'docs' is not taken over",
    ]
    folders(tmp_path)
    (tmp_path / "zbuild.yaml").write_text(text)
    assert [spec.name for spec in load_project(tmp_path, variables={"EXTRA": "x"}).images] == ["base", "api"]


def test_paths_are_those_of_the_folder_it_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    text = "services: {api: {build: {context: ../api, dockerfile: D}}}"
    content, _, _ = imported(tmp_path / "deploy", "compose.yml", text, tmp_path)
    assert content["images"]["api"] == {"context": "api", "file": "api/D"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bake.hcl", 'target "a" {}', "this is HCL, which zbuild does not read"),
        ("x.yaml", "a: b", "this is neither a bake file nor a Compose file"),
        ("x.yaml", "[a]", "this is neither a bake file nor a Compose file"),
        ("x.yaml", "services: {db: {image: x}}", "nothing in this file is built from a folder"),
    ],
)
def test_what_is_neither_is_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BuildFileError, match=message):
        imported(tmp_path, name, text)


def test_the_command_writes_a_new_file_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "compose.yaml").write_text("services: {api: {build: {context: ., ssh: x}}}")
    argv = ["import", "compose.yaml", "-o", "zbuild.yaml"]
    assert run(argv, Session(directory=tmp_path)) == 0
    assert "warning[dropped]: 'ssh' of service 'api' is not taken over" in capsys.readouterr().err
    assert yaml.safe_load((tmp_path / "zbuild.yaml").read_text())["images"] == {"api": {"context": "."}}
    assert run(argv, Session(directory=tmp_path)) == 2
    assert run([*argv, "--force"], Session(directory=tmp_path)) == 0
    assert run(["import", "none.yaml"], Session(directory=tmp_path)) == 2
