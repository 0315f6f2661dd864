"""Matrices, overlays and the environment, from the workspace down to the graph; and when a kept graph still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbuild.api.workspace import Workspace
from zbuild.base.errors import BuildFileError, UsageError
from zbuild.cli.main import run
from zbuild.frontend.buildfile.merge import merge
from zbuild.frontend.load import load_project
from zbuild.graph.types import FromReference, FromVertex
from zbuild.model.overlay import Overlay
from zbuild.state.stamp import environment_row, same_environment
from zbuild.syntax.nodes import Mapping, Scalar

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "Dockerfile").write_text("FROM scratch\nARG V=0\nLABEL v=$V\n")
    return tmp_path


def _write(root: Path, text: str) -> Workspace:
    (root / "zbuild.yaml").write_text(text)
    return Workspace(root)


_MATRIX = "images:\n  api: {context: lib, matrix: {V: [1, 2]}, build_args: {V: '${V}'}}\n"


def test_a_matrix_can_be_named_wherever_several_images_can(root: Path) -> None:
    workspace = _write(root, f"{_MATRIX}  web: {{context: lib, depends_on: api}}\ngroups: {{all: [api, web]}}\n")
    assert workspace.graph(["api"]).targets == ("api-1", "api-2")
    assert workspace.graph(["all"]).targets == ("api-1", "api-2", "web")
    assert set(workspace.graph(["web"]).by_id()["web"].after) == {"api-1", "api-2"}
    assert [listing.groups for listing in workspace.images()] == [("api",), ("api",), ("all",)]


@pytest.mark.parametrize("image", ["{build: {image: api}}", "{base: scratch, steps: [{copy: /x, from: api, to: /x}]}"])
def test_a_matrix_cannot_stand_for_one_image(root: Path, image: str) -> None:
    workspace = _write(root, f"{_MATRIX}  web: {image}\n")
    with pytest.raises(BuildFileError) as caught:
        workspace.graph(["web"])
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.hint) == ("matrix-image", "name one of them: api-1, api-2")
    assert problem.span is not None


def test_an_image_of_a_matrix_can_be_built_upon(root: Path) -> None:
    workspace = _write(root, f"{_MATRIX}  web: {{build: {{image: api-2}}}}\n")
    assert [vertex.id for vertex in workspace.graph(["web"]).vertices] == ["api-2", "web"]


@pytest.mark.parametrize(
    ("setting", "told", "hint"),
    [
        ("images.apo.retries=1", "there is no image 'apo'", "did you mean 'api'?"),
        ("images.x*.retries=1", "there is no image 'x*'", "`zbuild list` shows what there is"),
        ("images.api.retrys=1", "'retrys' cannot be set", "did you mean 'retries'?"),
        ("images.api.healthcheck.timout=1", "'timout' cannot be set", "did you mean 'timeout'?"),
        ("images.api.matrix.V=1", "'V' cannot be set", "known here: file, "),
        ("images.api.healthcheck=1", "this is a mapping; name a key in it", "known here: cmd, "),
        ("images.api.build_args=1", "this is a mapping; name a key in it", ""),
        ("images.api=1", "this is a mapping; name a key in it", "known here: file, "),
        ("defaults=1", "this is a mapping; name a key in it", "known here: format, "),
        ("image.api.tags=x", "'image' cannot be set", "did you mean 'images'?"),
        ("vars.V=1", "'vars' cannot be set", "known here: images, "),
        ("images.api.retries+=1", "only lists can be added to", "write images.api.retries=1"),
        ("images.api.tags", "this is no PATH=VALUE", "write images.api.retries=2, say"),
        ("+=x", "this is no PATH=VALUE", "write images.api.retries=2, say"),
        ("TAGS+=x", "a variable cannot be added to", "write --set TAGS=VALUE, a list"),
    ],
)
def test_settings_that_lead_nowhere_are_refused_with_a_way_out(root: Path, setting: str, told: str, hint: str) -> None:
    _write(root, _MATRIX)
    with pytest.raises(UsageError) as caught:
        load_project(root, overlay=Overlay(settings=(setting,)))
    assert str(caught.value).startswith("--set ")
    assert told in str(caught.value)
    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("secrets: {a: {env: A}}", "--set images.api.secrets+=: this is a mapping, not a list"),
        ("ssh: true", "--set images.api.ssh+=: this is a boolean, not a list"),
    ],
)
def test_only_what_is_a_list_there_is_added_to(root: Path, written: str, told: str) -> None:
    _write(root, f"images: {{api: {{context: lib, {written}}}}}\n")
    with pytest.raises(UsageError) as caught:
        load_project(root, overlay=Overlay(settings=(f"images.api.{written.partition(':')[0]}+=x",)))
    assert str(caught.value) == told
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("it is at zbuild.yaml:1:")


def test_included_images_can_be_set_too(root: Path) -> None:
    (root / "zbuild.yaml").write_text("include: '*/Dockerfile'\n")
    project = load_project(root, overlay=Overlay(settings=("images.lib.tags=a:1, b:1", "images.*.retries=3")))
    (spec,) = project.images
    assert (spec.file, spec.context, spec.tags, spec.retries) == ("lib/Dockerfile", "lib", ("a:1", "b:1"), 3)
    with pytest.raises(BuildFileError, match="'retries' must be a whole number"):
        load_project(root, overlay=Overlay(settings=("images.lib.retries=x",)))


def _args(workspace: Workspace) -> dict[str, str]:
    (vertex,) = workspace.graph(["api"]).vertices
    return dict(vertex.args)


def test_a_kept_graph_is_made_anew_when_a_variable_of_the_environment_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = _write(
        root, "vars: {V: {env: LEVEL, default: none}}\nimages: {api: {context: lib, build_args: {V: '${V}'}}}\n"
    )
    monkeypatch.delenv("LEVEL", raising=False)
    assert _args(workspace) == _args(workspace) == {"V": "none"}
    for value in ("1", "2", "", "1"):
        monkeypatch.setenv("LEVEL", value)
        assert _args(workspace) == {"V": value}


def test_only_declared_variables_come_from_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V", "environment")
    monkeypatch.setenv("W", "environment")
    workspace = _write(
        root, "vars: {V: file, W: {env: true}}\nimages: {api: {context: lib, build_args: {V: '${V}', W: '${W}'}}}\n"
    )
    assert _args(workspace) == {"V": "file", "W": "environment"}
    assert dict(Workspace(root, variables={"W": "set"}).graph(["api"]).vertices[0].args)["W"] == "set"


def test_the_value_of_a_variable_is_kept_as_a_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    row = environment_row("TOKEN")
    assert "hunter2" not in str(row)
    assert same_environment([row])
    monkeypatch.setenv("TOKEN", "hunter3")
    assert not same_environment([row])
    monkeypatch.delenv("TOKEN")
    assert same_environment([environment_row("TOKEN")])


def test_an_override_file_that_comes_to_be_is_seen(root: Path) -> None:
    workspace = _write(root, "images: {api: {context: lib}}\n")
    assert _args(workspace) == {}
    (root / "zbuild.override.yaml").write_text("images: {api: {build_args: {V: 1}}}\n")
    assert _args(workspace) == {"V": "1"}
    (root / "zbuild.override.yaml").unlink()
    assert _args(workspace) == {}


def test_a_named_build_file_stands_alone(root: Path) -> None:
    _write(root, "images: {api: {context: lib}}\n")
    (root / "zbuild.override.yaml").write_text("images: {api: {build_args: {V: 1}}}\n")
    (root / "more.yaml").write_text("images: {api: {build_args: {V: 2}}}\n")
    assert _args(Workspace.find(root, file="zbuild.yaml")) == {}
    assert _args(Workspace.find(root, file="zbuild.yaml", overlay=Overlay(files=("more.yaml",)))) == {"V": "2"}
    assert _args(Workspace.find(root / "lib", file="../zbuild.yaml", overlay=Overlay(files=("../more.yaml",)))) == {
        "V": "2"
    }
    with pytest.raises(UsageError, match=r"there is no file gone\.yaml"):
        Workspace.find(root, file="zbuild.yaml", overlay=Overlay(files=("gone.yaml",)))


def test_what_is_no_file_is_named_as_it_was_given(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(root, "vars: {N: {type: int, env: true}}\nimages: {api: {context: lib, retries: '${N}'}}\n")
    monkeypatch.chdir(root.parent)
    assert run(["validate", "-C", root.name, "--set", "images.api.pull=often", "--set", "N=1"]) == 2
    assert capsys.readouterr().err.startswith("--set images.api.pull: error[bad-value]: 'pull' must be ")
    monkeypatch.setenv("N", "many")
    assert run(["validate", "-C", root.name]) == 2
    told = capsys.readouterr().err
    assert told == (
        "$N: error[bad-value]: the variable 'N' must be a whole number, not 'many'\n"
        "  hint: it is declared at zbuild.yaml:1:8\n"
    )


def test_a_part_of_a_workspace_is_found_whatever_is_set(root: Path) -> None:
    (root / "lib" / "zbuild.yaml").write_text("images: {inner: {context: .}}\n")
    _write(root, "include: lib/zbuild.yaml\nprofiles: {ci: {}}\n")
    overlay = Overlay(profiles=("ci",), settings=("images.nothing.retries=2",))
    assert Workspace.find(root / "lib", overlay=overlay).root == root


def test_profiles_must_be_known_to_some_build_file(root: Path) -> None:
    _write(root, "images: {api: {context: lib}}\nprofiles: {release: {}}\n")
    with pytest.raises(UsageError) as caught:
        load_project(root, overlay=Overlay(profiles=("relaese",)))
    assert caught.value.hint == "did you mean 'release'?"


_UPON = "images:\n  api: {context: lib, tags: ['team/api:1', 'here.example/x/web:2']}\n"


@pytest.mark.parametrize(
    ("base", "meant"),
    [
        ("alpine", "here.example/x/alpine:latest"),
        ("docker.io/library/alpine:3", "docker.io/library/alpine:3"),
        ("other.example/alpine", "other.example/alpine:latest"),
    ],
)
def test_references_without_a_registry_lead_to_the_default_one(root: Path, base: str, meant: str) -> None:
    workspace = _write(root, f"defaults: {{registry: here.example/x}}\n{_UPON}  on: {{base: '{base}'}}\n")
    assert workspace.graph(["on"]).by_id()["on"].base == FromReference(meant)


@pytest.mark.parametrize("base", ["team/api:1", "web:2", "here.example/x/web:2"])
def test_images_are_found_by_their_tags_with_a_default_registry_too(root: Path, base: str) -> None:
    workspace = _write(root, f"defaults: {{registry: here.example/x}}\n{_UPON}  on: {{base: '{base}'}}\n")
    assert workspace.graph(["on"]).by_id()["on"].base == FromVertex("api")


@pytest.mark.parametrize("value", ["team", "UPPER CASE", "https://x.example", "x.example/Team"])
def test_a_default_registry_must_be_one(root: Path, value: str) -> None:
    workspace = _write(root, f"defaults: {{registry: '{value}'}}\n{_UPON}")
    with pytest.raises(BuildFileError, match="is not a registry"):
        workspace.graph()


def test_an_included_file_cannot_bring_a_default_registry(root: Path) -> None:
    (root / "lib" / "zbuild.yaml").write_text("defaults: {registry: x.example}\n")
    with pytest.raises(BuildFileError, match="an included file cannot bring a default registry"):
        _write(root, "include: lib/zbuild.yaml\n").images()


_KEYS = st.sampled_from("abc")
_NODES = st.recursive(
    st.sampled_from("xyz").map(Scalar),
    lambda inner: st.dictionaries(_KEYS, inner, max_size=3).map(
        lambda items: Mapping(tuple((Scalar(key), value) for key, value in items.items()))
    ),
    max_leaves=12,
)


def _leaves(node: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    if isinstance(node, Mapping) and node.items:
        parts = [_leaves(value, (*path, key.text)) for key, value in node.items]
        return {place: text for part in parts for place, text in part.items()}
    return {path: node.text if isinstance(node, Scalar) else "{}"}


@settings(max_examples=60, deadline=None)
@given(_NODES, _NODES)
def test_what_is_laid_over_wins_and_all_else_stays(under, over) -> None:
    merged, below, above = (_leaves(node) for node in (merge(under, over), under, over))
    for place, text in above.items():
        if text != "{}":
            assert merged[place] == text
    for place, text in below.items():
        shadowed = any(place[: len(other)] == other or other[: len(place)] == place for other in above)
        assert shadowed or merged[place] == text
    assert merge(under, under) == under
