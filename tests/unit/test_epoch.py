"""Which time an image bears, and what follows for its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.graphs import MemoryLoader, World, graph_of

from zbuild.api.unsteady_bases import unsteady_bases
from zbuild.base.epoch import DEFAULT_EPOCH, chosen_epoch
from zbuild.base.errors import BuildFileError
from zbuild.base.filemode import plain_mode
from zbuild.frontend.load import load_project
from zbuild.graph.build import GraphOptions, build_graph
from zbuild.model.definition import Definition, NestedBuild, Stage
from zbuild.model.project import ImageSpec, Project
from zbuild.model.steps import ContextOrigin, CopyStep, RunStep
from zbuild.plan.describe import describe

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.base.epoch import Reproducible

DOCKERFILE = "FROM scratch\nCOPY f /\nRUN --mount=target=/src make\n"


def epoch_of(options: GraphOptions | None = None, **fields: object) -> int | None:
    spec = ImageSpec("a", context="a", **fields)  # type: ignore[arg-type] # each test names fields of ImageSpec
    (vertex,) = graph_of([spec], {"a/Dockerfile": DOCKERFILE}, options=options).vertices
    return vertex.settings.epoch


@pytest.mark.parametrize(
    ("said", "given", "epoch"),
    [
        (None, "", None),
        (None, "7", 7),
        (True, "", DEFAULT_EPOCH),
        (True, "7", 7),
        (5, "", 5),
        (0, "", 0),
        (5, "7", 7),
        (False, "7", None),
    ],
)
def test_what_is_set_wins_but_an_image_can_refuse(said: Reproducible, given: str, epoch: int | None) -> None:
    assert chosen_epoch(said, given) == epoch


@pytest.mark.parametrize("text", ["now", "-1", "1.5", " 1", "253402300800", "\u0661", "9" * 5000])
def test_what_is_no_epoch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no number of seconds since 1970"):
        chosen_epoch(None, text)


def test_the_command_line_the_image_and_the_environment_in_this_order() -> None:
    given = (("SOURCE_DATE_EPOCH", "3"),)
    assert epoch_of() is None
    assert epoch_of(GraphOptions(epoch="1")) == 1
    assert epoch_of(GraphOptions(epoch="1"), build_args=(("SOURCE_DATE_EPOCH", "2"),)) == 2
    assert epoch_of(GraphOptions(given, epoch="1"), build_args=(("SOURCE_DATE_EPOCH", "2"),)) == 3
    assert epoch_of(GraphOptions((("SOURCE_DATE_EPOCH", ""),), epoch="1")) is None
    assert epoch_of(GraphOptions(reproducible=True)) == DEFAULT_EPOCH
    assert epoch_of(GraphOptions(reproducible=True), reproducible=False) is None
    assert epoch_of(GraphOptions(reproducible=True), reproducible=9) == 9


def test_a_wrong_epoch_is_told_with_the_image() -> None:
    with pytest.raises(BuildFileError) as caught:
        epoch_of(GraphOptions(epoch="yesterday"))
    (problem,) = caught.value.diagnostics
    assert problem.code == "bad-value"
    assert problem.message == "SOURCE_DATE_EPOCH is 'yesterday', which is no number of seconds since 1970"


def test_defaults_and_images_say_it_in_zbuild_yaml(tmp_path: Path) -> None:
    (tmp_path / "zbuild.yaml").write_text(
        "defaults: {reproducible: true}\nimages:\n"
        "  a: {base: scratch}\n  b: {base: scratch, reproducible: 7}\n  c: {base: scratch, reproducible: no}\n"
    )
    project = load_project(tmp_path)
    assert [spec.reproducible for spec in project.images] == [True, 7, False]
    assert project.reproducible is True


def test_images_built_for_others_follow_the_defaults() -> None:
    below = ImageSpec("a", context="a", file="", definition=None)
    project = Project("/work", (below,), reproducible=7)
    files = {"below/Dockerfile": "FROM scratch\n"}
    parsed = {"a/Dockerfile": Definition("a/Dockerfile", (Stage("", NestedBuild(context="below")),))}
    graph = build_graph(project, MemoryLoader(files, parsed))
    assert {vertex.image: vertex.settings.epoch for vertex in graph.vertices} == {"below": 7, "a": None}


def test_a_base_that_is_not_reproducible_is_told() -> None:
    files = {
        "a/Dockerfile": "FROM shop/b AS one\nRUN x\nFROM one\nCOPY --from=shop/c /f /",
        "b/Dockerfile": "FROM scratch\n",
    }
    images = [
        ImageSpec("a", context="a", reproducible=True),
        ImageSpec("b", context="b", tags=("shop/b",)),
        ImageSpec("c", context="b", tags=("shop/c",), no_cache=True),
    ]
    (warning,) = unsteady_bases(graph_of(images, files))
    assert warning.message == "'a/one' is to be reproducible, but its base 'b' is not"
    assert (str(warning.span), warning.severity) == ("a/Dockerfile:1:6", "warning")
    assert not list(unsteady_bases(graph_of(images, files, options=GraphOptions(reproducible=True))))


def test_the_epoch_is_in_the_key_and_told_to_commands() -> None:
    world = World()
    world.sources.contents = {"/work/a/f": "f", "/work/a//": "all"}
    keys = set()
    for reproducible in (None, 5, 6):
        graph = graph_of([ImageSpec("a", context="a", reproducible=reproducible)], {"a/Dockerfile": DOCKERFILE})
        described = describe(graph, world.sources, "fake")["a"]
        keys.add(described.static_key)
        copy, run = described.evaluation.steps
        assert isinstance(copy, CopyStep)
        assert isinstance(run, RunStep)
        assert dict(run.env).get("SOURCE_DATE_EPOCH") == (str(reproducible) if reproducible else None)
        assert isinstance(copy.origin, ContextOrigin)
        assert copy.origin.plain == (reproducible is not None)
        assert not dict(run.origins)[""].plain  # type: ignore[union-attr] # what a mount shows is as it is
    assert len(keys) == 3


def test_a_declared_argument_has_the_epoch() -> None:
    text = "FROM scratch\nARG SOURCE_DATE_EPOCH=1\nENV BUILT=$SOURCE_DATE_EPOCH\n"
    graph = graph_of([ImageSpec("a", context="a", reproducible=5)], {"a/Dockerfile": text})
    described = describe(graph, World().sources, "fake")["a"]
    assert dict(described.evaluation.config.env)["BUILT"] == "5"


@pytest.mark.parametrize(
    ("mode", "plain"),
    [(0o600, 0o644), (0o664, 0o644), (0o700, 0o755), (0o775, 0o755), (0o444, 0o444), (0o2775, 0o755), (0o4755, 0o755)],
)
def test_modes_are_what_they_are_under_any_umask(mode: int, plain: int) -> None:
    assert plain_mode(mode) == plain_mode(mode & ~0o077) == plain
