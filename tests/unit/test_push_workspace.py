from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from zbuild.api.options import BuildOptions
from zbuild.api.workspace import Workspace
from zbuild.base.errors import BuildFileError, UsageError
from zbuild.events.types import ImagePushed, Notice

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.events.types import Event

FAKE = BuildOptions(backend="fake")
FILE = """\
images:
  api: {context: ., tags: ["r.example/api", "api:1", "localhost/api:2", "localhost:5000/api:3"]}
  other: {context: ., file: Other, tags: ["r.example/other:1"]}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "zbuild.yaml").write_text(FILE)
    for name in ("Dockerfile", "Other"):
        (tmp_path / name).write_text(f"FROM scratch\nCOPY {name} /\n")
    return Workspace(tmp_path)


def test_tags_that_name_a_registry_are_pushed_in_full(workspace: Workspace) -> None:
    workspace.build(["api"], FAKE)
    told: list[Event] = []
    pushed = workspace.push(["api"], FAKE, told.append)
    assert [tag.reference for tag in pushed] == ["r.example/api:latest", "localhost:5000/api:3"]
    assert [event.reference for event in told if isinstance(event, ImagePushed)] == [tag.reference for tag in pushed]
    (left_out,) = [event.message for event in told if isinstance(event, Notice) and "not pushed" in event.message]
    assert left_out.endswith("localhost/api:1, localhost/api:2")
    held = json.loads((workspace.root / ".zbuild/fake/registry.json").read_text())
    assert held == {tag.reference: tag.digest for tag in pushed}


def test_a_build_that_pushes_leaves_no_proof_that_nothing_is_to_do(workspace: Workspace) -> None:
    report = workspace.build(["api"], BuildOptions(backend="fake", push=True))
    assert {tag.image for tag in report.pushed} == {"api"}
    assert report.proof is None


def test_nothing_is_pushed_when_one_is_not_built(workspace: Workspace) -> None:
    workspace.build(["api"], FAKE)
    with pytest.raises(UsageError, match=r"not up to date: other \(never built here\)") as raised:
        workspace.push([], FAKE)
    assert raised.value.hint == "build first: 'zbuild build api other'"
    assert not (workspace.root / ".zbuild/fake/registry.json").exists()


def test_a_tag_is_given_to_one_image(workspace: Workspace) -> None:
    workspace.build([], FAKE)
    workspace.tag("other", ["more:1", "r.example/more"], FAKE)
    images = json.loads((workspace.root / ".zbuild/fake/images/images.json").read_text())
    assert {"localhost/more:1", "r.example/more:latest", "r.example/other:1"} in [set(i["names"]) for i in images]
    with pytest.raises(UsageError, match="there are several images: api, other"):
        workspace.tag("*", ["many:1"], FAKE)


def test_an_included_file_cannot_say_how_the_workspace_pushes(workspace: Workspace) -> None:
    (workspace.root / "part").mkdir()
    (workspace.root / "part/zbuild.yaml").write_text("push: {after_all: true}\n")
    (workspace.root / "zbuild.yaml").write_text(f"include: [part/zbuild.yaml]\n{FILE}")
    with pytest.raises(BuildFileError, match="an included file cannot bring 'push'"):
        workspace.validate()
