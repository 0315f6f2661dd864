"""Images of several platforms: which stages there are, for what, and which of them are shared."""

from __future__ import annotations

import re

import pytest
from support.graphs import World, graph_of

from zbuild.base.errors import BuildFileError
from zbuild.base.platform import host_platform, parse_platform
from zbuild.graph.build import GraphOptions
from zbuild.graph.types import FromVertex
from zbuild.model.definition import Definition, NestedBuild, Stage
from zbuild.model.project import ImageSpec

HOST = str(host_platform())
BOTH = ("linux/arm64", "linux/s390x")  # neither is that of a machine that runs these tests


def platforms(graph) -> dict[str, str]:
    return {vertex.id: str(vertex.platform) for vertex in graph.vertices}


@pytest.mark.parametrize(
    ("word", "full"),
    [("aarch64", "linux/arm64"), ("arm", "linux/arm/v7"), ("riscv64", "linux/riscv64"), ("linux/foo", "linux/foo")],
)
def test_a_lone_word_is_an_architecture_and_beside_an_os_any_is_taken(word: str, full: str) -> None:
    assert str(parse_platform(word)) == full


@pytest.mark.parametrize(("word", "told"), [("foo", "like linux/arm64"), ("amd46", "did you mean 'amd64'?")])
def test_a_lone_word_that_nobody_knows_is_no_platform(word: str, told: str) -> None:
    with pytest.raises(ValueError, match=rf"'{word}' is neither an os nor an architecture; .*{re.escape(told)}"):
        parse_platform(word)


def one(text: str, *given: str, **fields):
    options = GraphOptions(platforms=tuple(map(parse_platform, given)))
    return graph_of([ImageSpec("api", context="api", **fields)], {"api/Dockerfile": text}, options=options)


@pytest.mark.parametrize("given", [(), BOTH])
def test_each_platform_has_stages_of_its_own(given: tuple[str, ...]) -> None:
    graph = one("FROM scratch AS a\nFROM a", *given, platforms=() if given else BOTH, tags=("t/api",))
    assert platforms(graph) == {
        "api/a@linux/arm64": "linux/arm64",
        "api@linux/arm64": "linux/arm64",
        "api/a@linux/s390x": "linux/s390x",
        "api@linux/s390x": "linux/s390x",
    }
    assert graph.roots == ("api@linux/arm64", "api@linux/s390x")
    (node,) = graph.images
    assert (node.vertices, node.tags) == (graph.roots, ("t/api",))


def test_the_command_line_goes_before_the_build_file() -> None:
    assert platforms(one("FROM scratch", "linux/riscv64", platforms=BOTH)) == {"api": "linux/riscv64"}


def test_stages_of_a_named_platform_are_shared_when_they_see_nothing_of_the_targets() -> None:
    text = """\
ARG MODE=fast
ARG TRIPLE=$TARGETARCH-unknown
FROM --platform=$BUILDPLATFORM scratch AS tools
FROM tools AS web
ARG MODE
COPY --from=tools /a /a
FROM --platform=$BUILDPLATFORM scratch AS cross
ARG TARGETARCH
FROM --platform=$BUILDPLATFORM scratch AS triple
ARG TRIPLE
FROM scratch
COPY --from=web /a /a
COPY --from=cross /a /b
COPY --from=triple /a /c
"""
    assert platforms(one(text, *BOTH)) == {
        f"api/tools@{HOST}": HOST,
        f"api/web@{HOST}": HOST,
        "api/cross@linux/arm64": HOST,
        "api/triple@linux/arm64": HOST,
        "api@linux/arm64": "linux/arm64",
        "api/cross@linux/s390x": HOST,
        "api/triple@linux/s390x": HOST,
        "api@linux/s390x": "linux/s390x",
    }


def test_target_arguments_tell_of_the_target_whatever_the_stages_platform() -> None:
    text = "FROM --platform=$BUILDPLATFORM scratch\nARG TARGETPLATFORM\nARG BUILDPLATFORM\nRUN x"
    (decision,) = World().decide(one(text, "linux/arm64")).values()
    (step,) = decision.described.evaluation.steps
    assert dict(step.env)["TARGETPLATFORM"] == "linux/arm64"
    assert dict(step.env)["BUILDPLATFORM"] == HOST


def test_stages_that_come_out_equal_are_built_once() -> None:
    world = World()
    graph = one("FROM --platform=$BUILDPLATFORM scratch\nARG TARGETARCH\nWORKDIR /x", *BOTH)
    assert world.build(graph) == ["api@linux/arm64"]


def test_platforms_have_keys_of_their_own() -> None:
    world = World()
    graph = one("FROM scratch\nWORKDIR /x", *BOTH)
    assert world.build(graph) == ["api@linux/arm64", "api@linux/s390x"]
    assert set(world.actions(graph).values()) == {"cached"}


FILES = {"base/Dockerfile": "FROM scratch", "api/Dockerfile": "FROM t/base"}


def upon(base: ImageSpec, *targets: str, **fields):
    given = GraphOptions(platforms=fields.pop("given", ()))
    return graph_of([base, ImageSpec("api", context="api", **fields)], FILES, targets, options=given)


def test_what_an_image_is_built_upon_follows_its_platform() -> None:
    base = ImageSpec("base", context="base", tags=("t/base",))
    graph = upon(base, "api", platforms=(HOST, "linux/s390x"))
    assert platforms(graph) == {
        "base": HOST,
        f"api@{HOST}": HOST,
        "base@linux/s390x": "linux/s390x",
        "api@linux/s390x": "linux/s390x",
    }
    assert graph.by_id()["api@linux/s390x"].base == FromVertex("base@linux/s390x")
    assert {node.name: node.tags for node in graph.images} == {"base": ("t/base",), "api": ()}


def test_tags_stand_for_all_platforms_or_are_not_given() -> None:
    base = ImageSpec("base", context="base", tags=("t/base",), platforms=BOTH)
    assert {node.name: node.tags for node in upon(base, "api", platforms=BOTH[:1]).images}["base"] == ()
    assert {node.name: node.tags for node in upon(base, "api", platforms=BOTH).images}["base"] == ("t/base",)


def test_an_image_of_one_named_platform_keeps_it() -> None:
    base = ImageSpec("base", context="base", tags=("t/base",), platforms=("linux/riscv64",))
    graph = upon(base, "api", platforms=("linux/arm64",))
    assert platforms(graph) == {"base": "linux/riscv64", "api": "linux/riscv64"}


def test_an_image_that_is_not_built_for_what_is_wanted_is_an_error() -> None:
    base = ImageSpec("base", context="base", tags=("t/base",), platforms=BOTH)
    with pytest.raises(BuildFileError, match="'base' is not built for linux/riscv64: its platforms are linux/arm64, "):
        upon(base, "api", platforms=("linux/riscv64",))


def test_nested_builds_follow_the_platform_and_equal_ones_are_one() -> None:
    parsed = {f"{name}/Z": Definition("Z", (Stage("", NestedBuild("lib")),)) for name in "ab"}
    images = [ImageSpec(name, context=name, file=f"{name}/Z", platforms=("linux/arm64",)) for name in "ab"]
    graph = graph_of(images, {"lib/Dockerfile": "FROM scratch"}, parsed=parsed)
    assert platforms(graph) == {"lib@linux/arm64": "linux/arm64", "a": "linux/arm64", "b": "linux/arm64"}


def test_what_depends_on_an_image_waits_for_all_its_platforms() -> None:
    images = [
        ImageSpec("base", context="base", platforms=BOTH),
        ImageSpec("api", context="api", depends_on=("base",)),
    ]
    graph = graph_of(images, {**FILES, "api/Dockerfile": "FROM scratch"}, ["api"])
    assert graph.by_id()["api"].after == ("base@linux/arm64", "base@linux/s390x")
