"""WebAssembly components: read and checked, and refused by name before anything is built."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from zbuild.api.convert import convert_file
from zbuild.api.workspace import Workspace
from zbuild.base.errors import BuildFileError
from zbuild.cli.main import run
from zbuild.model.wasm import WasmComponent
from zbuild.syntax.schema import read_schema

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "component").mkdir()
    (tmp_path / "component" / "ZImagefile").write_text("wasm: {language: rust, pre_build: [make, [a, b]]}\n")
    (tmp_path / "zbuild.yaml").write_text(
        "images:\n  file: {context: component}\n  inline: {wasm: {}}\n  recipe: {runtime: WebAssembly, args: {A: b}}\n"
        "  image: {base: scratch}\n  upon: {build: component}\n"
    )
    return tmp_path


def test_the_schema_has_the_model_s_fields() -> None:
    schema = read_schema("zimagefile")["$defs"]["wasm"]["properties"]
    assert set(schema) == {field.name for field in fields(WasmComponent)} - {"span"}


def test_components_are_valid(root: Path) -> None:
    assert Workspace(root).validate() == ()


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("file", "component/ZImagefile:1:1"),
        ("inline", "zbuild.yaml:3:12"),
        ("recipe", "zbuild.yaml:4:21"),
        ("upon", "component/ZImagefile:1:1"),
    ],
)
def test_building_one_is_refused_by_name(root: Path, target: str, place: str) -> None:
    workspace = Workspace(root)
    for ask in (workspace.graph, workspace.plan, workspace.build):
        with pytest.raises(BuildFileError) as caught:
            ask(["image", target])
        (problem,) = caught.value.diagnostics
        assert (problem.code, str(problem.span)) == ("not-yet", place)
        assert "is a WebAssembly component, which zbuild cannot build yet" in problem.message


def test_other_images_of_the_workspace_are_built_as_ever(root: Path) -> None:
    assert Workspace(root).graph(["image"]).targets == ("image",)


def test_parse_shows_a_component(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(root / "component" / "ZImagefile")
    assert run(["parse", file]) == 0
    assert (
        'wasm target="preview2" opt_level="Oz" language="rust" pre_build=["make", ["a", "b"]]'
        in capsys.readouterr().out
    )
    assert run(["parse", file, "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["stages"], shown["wasm"]["language"], shown["wasm"]["start_line"]) == ([], "rust", 1)


def test_a_component_cannot_become_a_dockerfile(root: Path) -> None:
    with pytest.raises(BuildFileError, match="a Dockerfile cannot say what a WebAssembly component is"):
        convert_file(root, "component/ZImagefile")
