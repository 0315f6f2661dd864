"""Bake and Compose files as zbuild.yaml."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from zbuild.api.convert import import_files
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
    printed = import_files(root, [name], folder or root)
    return yaml.safe_load(printed.text), [problem.message for problem in printed.problems], printed.text


def var(default: str) -> dict[str, object]:
    return {"default": default, "env": True}


def folders(root: Path) -> None:
    for name in ("api/docker", "web", "base", "docs"):
        (root / name).mkdir(parents=True)
        (root / name / "Dockerfile").write_text("FROM scratch\n")
    (root / "api/Dockerfile.prod").write_text("FROM scratch AS service\n")


def test_a_bake_file_s_targets_become_images(tmp_path: Path) -> None:
    content, told, text = imported(tmp_path, "docker-bake.json", json.dumps(BAKE, indent="\t"))
    assert content["vars"] == {"TAG": var("1.0"), "SUM": {"env": True}, "BUILD": var("")}
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
        "pull": "always",
        "contexts": {"base": "target:base", "docs": "docs"},
    }
    assert told == [
        "the default of the variable 'SUM', which is computed, is not taken over",
        "'cache-from' of target 'api' is not taken over",
        "the context 'https://example.test/x.git', which is no folder, is not taken over",
        "the target 'computed', whose 'tags' is computed, is not taken over",
    ]
    folders(tmp_path)
    (tmp_path / "zbuild.yaml").write_text(text)
    project = load_project(tmp_path, variables={"BUILD": "7", "SUM": "3"})
    assert project.images[0].tags == ("shop/api:1.0", "shop/api:7")


def test_hcl_s_json_form_may_hold_lists_of_blocks(tmp_path: Path) -> None:
    text = json.dumps({"target": [{"a": [{"context": "x"}]}, {"b": {"inherits": ["a", "b"]}}]})
    content, _, _ = imported(tmp_path, "bake.json", text)
    assert content["images"] == {"a": {"context": "x"}, "b": {"context": "x"}}


def test_a_compose_file_s_services_that_are_built_become_images(tmp_path: Path) -> None:
    content, told, text = imported(tmp_path, "compose.yaml", COMPOSE)
    assert content["vars"] == {"TAG": var("1.0"), "EXTRA": var("")}
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
            "contexts": {"base": "target:base", "docs": "docs"},
        },
    }
    assert told == [
        "'cache_from' of service 'api' is not taken over",
        "'TOKEN', which has no value here, is not taken over",
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
    (tmp_path / "compose.yaml").write_text("services: {api: {build: {context: ., network: x}}}")
    argv = ["import", "compose.yaml", "-o", "zbuild.yaml"]
    assert run(argv, Session(directory=tmp_path)) == 0
    assert "warning[dropped]: 'network' of service 'api' is not taken over" in capsys.readouterr().err
    assert yaml.safe_load((tmp_path / "zbuild.yaml").read_text())["images"] == {"api": {"context": "."}}
    assert run(argv, Session(directory=tmp_path)) == 2
    assert run([*argv, "--force"], Session(directory=tmp_path)) == 0
    assert run(["import", "none.yaml"], Session(directory=tmp_path)) == 2


def bake(root: Path, target: dict[str, object], **blocks: object):
    content, told, _ = imported(root, "docker-bake.json", json.dumps({"target": target, **blocks}))
    return content, told


def compose(root: Path, text: str):
    content, told, _ = imported(root, "compose.yaml", text)
    return content, told


def test_defaults_may_name_other_variables(tmp_path: Path) -> None:
    variables = {"B": {"default": "${A}-${C}"}, "A": {"default": "1"}}
    content, _ = bake(tmp_path, {"x": {"tags": ["x:${B}"]}}, variable=variables)
    assert content["vars"] == {"B": var("${A}-${C}"), "A": var("1"), "C": var("")}
    (tmp_path / "zbuild.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    assert load_project(tmp_path, variables={"C": "2"}).images[0].tags == ("x:1-2",)


def test_a_matrix_of_texts_stays_one(tmp_path: Path) -> None:
    target = {"name": "py-${v}", "matrix": {"v": ["1", "2"]}, "args": {"V": "${v}"}, "tags": ["x:${v}-${TAG}"]}
    content, told = bake(tmp_path, {"py": target}, variable={"TAG": {"default": "a"}})
    assert told == []
    assert content["vars"] == {"TAG": var("a")}
    assert content["images"]["py"] == {
        "matrix": {"v": ["1", "2"]},
        "name": "py-${v}",
        "context": ".",
        "build_args": {"V": "${v}"},
        "tags": ["x:${v}-${TAG}"],
    }


def test_a_matrix_of_mappings_has_a_variable_for_each_member(tmp_path: Path) -> None:
    matrix = {"item": [{"tgt": "a", "v": "1"}, {"tgt": "b", "v": "2"}], "os": ["x", "y"]}
    target = {"name": "${item.tgt}-${os}", "matrix": matrix, "target": "${item.tgt}", "args": {"V": "${item.v}"}}
    content, _ = bake(tmp_path, {"all": target})
    image = content["images"]["all"]
    assert image["name"] == "${item_tgt}-${os}"
    assert image["matrix"]["include"][1:3] == [
        {"item_tgt": "a", "item_v": "1", "os": "y"},
        {"item_tgt": "b", "item_v": "2", "os": "x"},
    ]
    (tmp_path / "zbuild.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "Dockerfile").write_text("FROM scratch AS a\nFROM scratch AS b\n")
    assert [spec.name for spec in load_project(tmp_path).images] == ["a-x", "a-y", "b-x", "b-y"]


def test_a_matrix_that_is_computed_or_endless_is_told(tmp_path: Path) -> None:
    _, told = bake(tmp_path, {"a": {"matrix": {"v": "${list}"}}, "b": {"matrix": {"v": ["1"] * 40, "w": ["1"] * 40}}})
    assert told == [
        "'matrix' of target 'a', which is computed or too large, is not taken over",
        "'matrix' of target 'b', which is computed or too large, is not taken over",
    ]


def test_null_takes_an_inherited_argument_away(tmp_path: Path) -> None:
    content, told = bake(
        tmp_path, {"_c": {"args": {"A": "1", "B": "2"}}, "x": {"inherits": ["_c"], "args": {"A": None}}}
    )
    assert (content["images"], told) == ({"x": {"context": ".", "build_args": {"B": "2"}}}, [])


def test_templates_that_are_built_are_images(tmp_path: Path) -> None:
    target = {"_t": {"context": "t"}, "_c": {"context": "c"}, "_n": {}, "x": {"contexts": {"c": "target:_c"}}}
    content, _ = bake(tmp_path, target, group={"g": {"targets": ["h", "x"]}, "h": {"targets": ["_t"]}})
    assert list(content["images"]) == ["_t", "_c", "x"]
    assert content["groups"] == {"h": ["_t"], "g": ["h", "x"]}


@pytest.mark.parametrize(
    "name",
    [
        *("cache-from", "cache-to", "output", "attest", "network", "shm-size", "ulimits", "call"),
        *("entitlements", "no-cache-filter", "extra-hosts", "dockerfil"),
    ],
)
def test_what_a_zbuild_file_cannot_say_of_a_target_is_told_by_name(name: str, tmp_path: Path) -> None:
    assert bake(tmp_path, {"x": {name: ["y"]}})[1] == [f"'{name}' of target 'x' is not taken over"]


@pytest.mark.parametrize(
    "name",
    [
        *("cache_from", "cache_to", "network", "shm_size", "ulimits", "privileged", "isolation"),
        *("extra_hosts", "entitlements", "provenance", "sbom"),
    ],
)
def test_what_a_zbuild_file_cannot_say_of_a_service_is_told_by_name(name: str, tmp_path: Path) -> None:
    _, told = compose(tmp_path, f"services: {{x: {{build: {{context: ., {name}: [y], x-own: z}}}}}}")
    assert told == [f"'{name}' of service 'x' is not taken over"]


def test_a_dockerfile_that_stands_in_the_file_becomes_steps(tmp_path: Path) -> None:
    text = "FROM scratch\nCOPY a /b\nLABEL l=1 m=2\n"
    content, told = bake(tmp_path, {"x": {"dockerfile-inline": text, "labels": {"l": "own"}}})
    assert told == []
    assert content["images"]["x"] == {
        "context": ".",
        "base": "scratch",
        "steps": [{"copy": "a", "to": "/b"}],
        "labels": {"l": "own", "m": "2"},
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [("FROM $X", "has variables"), ("FORM x", "is wrong (there is no instruction 'FORM')"), ("", "is wrong")],
)
def test_one_that_cannot_is_told(text: str, why: str, tmp_path: Path) -> None:
    _, told = bake(tmp_path, {"x": {"dockerfile-inline": text}, "y": {}})
    assert told[0].startswith(f"the target 'x', whose 'dockerfile-inline' {why}")


def test_variables_of_compose_keep_their_meaning(tmp_path: Path) -> None:
    tags = ["a:${A:-1}", "b:${B-${C:-2}}", "c:${D:?is needed}", "d:$E", "e:$${F}", "f:$$G"]
    text = f"services: {{x: {{build: {{context: ., tags: {json.dumps(tags)}}}}}}}"
    content, told = compose(tmp_path, text)
    assert told == []
    assert content["vars"] == {
        "A": var("1"),
        "C": var("2"),
        "B": var("${C}"),
        "D": {"env": True, "description": "is needed"},
        "E": var(""),
    }
    assert content["images"]["x"]["tags"] == ["a:${A}", "b:${B}", "c:${D}", "d:${E}", "e:$${F}", "f:$G"]


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ("x:${A:-1}, y:${A:-2}", "that 'A' has different defaults is not taken over"),
        ("x:$A, y:${A:-2}", "that 'A' has different defaults is not taken over"),
        ("x:1${A:+2}", "'${A:+2}' is not taken over"),
        ("x:${A", "'x:${A', whose variables are not understood, is not taken over"),
        ("x:${A!}", "'x:${A!}', whose variables are not understood, is not taken over"),
    ],
)
def test_variables_that_cannot_are_told(tags: str, told: str, tmp_path: Path) -> None:
    listed = json.dumps(tags.split(", "))
    assert compose(tmp_path, f"services: {{x: {{build: {{tags: {listed}}}}}}}")[1] == [told]


def test_services_of_profiles_are_not_built_unasked(tmp_path: Path) -> None:
    text = "services: {a: {build: .}, b: {build: ., profiles: [debug, ci]}, c: {build: ., profiles: [ci]}}"
    content, _ = compose(tmp_path, text)
    assert content["groups"] == {"default": ["a"], "debug": ["b"], "ci": ["b", "c"]}
    assert "groups" not in compose(tmp_path, "services: {a: {build: .}}")[0]


def test_a_service_extends_another_of_the_file(tmp_path: Path) -> None:
    text = """\
services:
  base: {image: "shop/base:1", build: {context: b, args: [A=1, B=2], tags: [x]}}
  more: {extends: base, build: {args: {B: 3}, tags: [y, x]}}
  other: {extends: {service: base, file: c.yaml}, build: ./c}
  none: {extends: gone, build: ./c}
  loop: {extends: loop, build: ./c}
"""
    content, told = compose(tmp_path, text)
    assert content["images"]["more"] == {"context": "b", "build_args": {"A": "1", "B": "3"}, "tags": ["x", "y"]}
    assert content["images"]["loop"] == {"context": "c"}
    assert told == [
        "the tag that 'more' has of 'base', which it extends, is not taken over",
        "what 'other' extends in another file is not taken over",
        "what 'none' extends, which is not there, is not taken over",
    ]


def test_contexts_that_are_neither_folder_nor_image_are_told(tmp_path: Path) -> None:
    contexts = "[a=docker-image://i, b=https://x.test/a.git, c=../d]"
    content, told = compose(tmp_path, f"services: {{x: {{build: {{context: ., additional_contexts: {contexts}}}}}}}")
    assert content["images"]["x"]["contexts"] == {"a": "docker-image://i", "c": "../d"}
    assert told == ["the context 'b', which is neither folder nor image, is not taken over"]


def test_a_context_outside_is_told(tmp_path: Path) -> None:
    assert compose(tmp_path, "services: {x: {build: ../x}}")[1] == ["the context '../x' lies outside of the workspace"]


def test_later_files_lie_over_earlier_ones(tmp_path: Path) -> None:
    one = {"target": {"a": {"args": {"A": "1"}, "tags": ["x"]}}, "variable": {"V": {"default": "1"}}}
    two = {"target": {"a": {"args": {"B": "2"}, "tags": ["y"]}, "b": {}}, "variable": {"V": {"default": "2"}}}
    for name, file in (("1.json", one), ("2.json", two)):
        (tmp_path / name).write_text(json.dumps(file))
    content = yaml.safe_load(import_files(tmp_path, ["1.json", "2.json"], tmp_path).text)
    assert content["vars"] == {"V": var("2")}
    assert content["images"]["a"] == {"context": ".", "build_args": {"A": "1", "B": "2"}, "tags": ["y"]}
    (tmp_path / "c.yaml").write_text("services: {x: {build: ., image: i}}")
    (tmp_path / "d.yaml").write_text("services: {x: {build: {target: t, labels: [a=b]}}}")
    content = yaml.safe_load(import_files(tmp_path, ["c.yaml", "d.yaml"], tmp_path).text)
    assert content["images"]["x"] == {"context": ".", "labels": {"a": "b"}, "tags": ["i"], "target": "t"}
    with pytest.raises(BuildFileError, match="cannot be one"):
        import_files(tmp_path, ["c.yaml", "1.json"], tmp_path)


def test_the_command_tells_of_files_that_docker_reads_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("compose.yaml", "services: {x: {build: .}}"), ("compose.override.yaml", "{}"), (".env", "")):
        (tmp_path / name).write_text(text)
    assert run(["import", "compose.yaml"], Session(directory=tmp_path)) == 0
    told = capsys.readouterr().err
    assert "docker reads compose.override.yaml, too" in told
    assert ".env is not read" in told


def test_secrets_and_agents_of_compose_are_taken_over(tmp_path: Path) -> None:
    text = """\
services:
  web:
    build:
      context: .
      secrets: [token, {source: npm, target: npmrc}, cloud]
      ssh: [default, key=~/.ssh/id]
  api:
    build: {context: ., secrets: [token], ssh: [default]}
  job:
    build: {context: ., ssh: {deploy: keys/id}}
secrets:
  token: {environment: "${NAME:-TOKEN}"}
  npm: {file: ./npmrc}
  cloud: {external: true}
"""
    content, told = compose(tmp_path, text)
    assert content["images"] == {
        "web": {
            "context": ".",
            "secrets": {"token": {"env": "${NAME}"}, "npmrc": {"file": "npmrc"}},
            "ssh": {"key": ["~/.ssh/id"]},
        },
        "api": {"context": ".", "secrets": {"token": {"env": "${NAME}"}}, "ssh": ["default"]},
        "job": {"context": ".", "ssh": {"deploy": ["keys/id"]}},
    }
    assert told == [
        "the secret 'cloud', which is neither a file nor a variable, is not taken over",
        "the ssh agent 'default', beside others that have a place, is not taken over",
    ]


def test_secrets_and_agents_of_bake_are_taken_over(tmp_path: Path) -> None:
    given = ["id=token,env=TOKEN", 'type=file,id=npm,"src=npm,rc"', {"id": "key", "src": "/k"}, "type=env,id=e,src=E"]
    target = {
        "base": {"secret": given, "ssh": ["default"]},
        "api": {"inherits": ["base"], "secret": ["id=bare", "id=npm,source=other", "src=x"]},
        "job": {"ssh": [{"id": "deploy", "paths": ["a", "/b"]}, "key=c,d"]},
    }
    content, told, text = imported(tmp_path, "docker-bake.json", json.dumps({"target": target}))
    base = {"token": {"env": "TOKEN"}, "npm": {"file": "npm,rc"}, "key": {"file": "/k"}, "e": {"env": "E"}}
    assert content["images"] == {
        "base": {"context": ".", "secrets": base, "ssh": ["default"]},
        "api": {
            "context": ".",
            "secrets": {**base, "npm": {"file": "other"}, "bare": {"env": "bare"}},
            "ssh": ["default"],
        },
        "job": {"context": ".", "ssh": {"deploy": ["a", "/b"], "key": ["c", "d"]}},
    }
    assert told == ["a secret without 'id' is not taken over"]
    (tmp_path / "zbuild.yaml").write_text(text)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert [spec.name for spec in load_project(tmp_path).images] == ["base", "api", "job"]
