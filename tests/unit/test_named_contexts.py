"""Named build contexts: what they take the place of, by BuildKit's rules, and how their values are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.graphs import MemorySources, World, graph_of

from zbuild.api.contexts import unused_contexts
from zbuild.api.names import log_names
from zbuild.api.options import BuildOptions
from zbuild.api.workspace import Workspace
from zbuild.base.errors import BuildFileError, UsageError
from zbuild.base.reference import short_name
from zbuild.frontend.contexts import ContextError, context_name, parse_context
from zbuild.frontend.dockerfile.parse import parse_dockerfile
from zbuild.graph.build import GraphOptions, build_graph
from zbuild.graph.types import FromFolder, FromReference, FromScratch, FromVertex
from zbuild.model.contexts import FolderContext, ReferenceContext
from zbuild.model.definition import NestedBuild
from zbuild.model.image_config import ImageConfig
from zbuild.model.ops import Copy
from zbuild.model.project import ImageSpec, Project
from zbuild.model.remote import GitOrigin
from zbuild.plan.describe import describe

if TYPE_CHECKING:
    from pathlib import Path

SDK = ("sdk", FolderContext("../sdk"))
PINNED = ("alpine", ReferenceContext("docker.io/library/alpine:3.20"))


def graph_with(text: str, *contexts, images=(), files=None, target: str = ""):
    spec = ImageSpec("api", context="api", contexts=contexts)
    return graph_of(
        [spec, *images], {"api/Dockerfile": text, **(files or {})}, ["api"], options=GraphOptions(target=target)
    )


def sources(graph, name: str = "api") -> dict[str, object]:
    return dict(graph.by_id()[name].sources)


@pytest.mark.parametrize(
    ("value", "context"),
    [
        ("../sdk", FolderContext("../sdk")),
        ("/opt/sdk", FolderContext("/opt/sdk")),
        ("docker-image://alpine", ReferenceContext("docker.io/library/alpine:latest")),
        ("container-image://alpine:3", ReferenceContext("docker.io/library/alpine:3")),
        ("docker://reg.example/a", ReferenceContext("reg.example/a:latest")),
        ("docker-image://scratch", ReferenceContext("scratch")),
        ("target:base", NestedBuild(image="base")),
        ("target:base/early", NestedBuild(image="base", target="early")),
        ("https://example.com/a.git#v1:sub", GitOrigin("https://example.com/a.git", "v1", "sub")),
        ("git://example.com/a", GitOrigin("git://example.com/a")),
    ],
)
def test_values_are_read_as_buildkit_and_bake_write_them(value: str, context: object) -> None:
    assert parse_context(value) == context


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("https://example.com/a.tar", "not-yet"),
        ("https://example.com:x/a.git", "bad-context"),
        ("oci-layout://layout", "not-yet"),
        ("docker-image://A", "bad-context"),
        ("target:", "bad-context"),
        ("", "bad-context"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(value: str, code: str) -> None:
    with pytest.raises(ContextError) as caught:
        parse_context(value)
    assert caught.value.code == code
    assert str(caught.value)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("sdk", "sdk"),
        ("alpine:latest", "alpine"),
        ("docker.io/library/alpine:3", "alpine:3"),
        ("r.example/a", "r.example/a"),
    ],
)
def test_names_are_compared_in_their_short_form(written: str, name: str) -> None:
    assert context_name(written) == short_name(written) == name


@pytest.mark.parametrize("name", ["context", "scratch", "SDK", "a b", "-x"])
def test_what_names_no_stage_or_image_names_no_context(name: str) -> None:
    with pytest.raises(ContextError):
        context_name(name)


def test_a_folder_is_copied_from_without_a_stage_of_its_own() -> None:
    graph = graph_with("FROM scratch\nCOPY --from=sdk a /\nRUN --mount=from=sdk,target=/sdk x", SDK)
    assert [vertex.id for vertex in graph.vertices] == ["api"]
    assert sources(graph) == {"sdk": FromFolder("../sdk")}
    assert graph.vertices[0].inputs == ()


def test_a_folder_as_a_base_is_its_files_upon_nothing() -> None:
    (vertex,) = graph_with("FROM sdk\nCOPY a /", SDK).vertices
    assert vertex.base == FromScratch()
    assert vertex.stage.ops == (Copy((".",), "/", source="sdk"), Copy(("a",), "/"))
    assert dict(vertex.sources) == {"sdk": FromFolder("../sdk")}


@pytest.mark.parametrize("base", ["alpine", "alpine:latest", "docker.io/library/alpine", "$BASE"])
def test_an_image_takes_the_place_of_every_way_to_write_another(base: str) -> None:
    graph = graph_with(f"ARG BASE=alpine\nFROM {base}\nCOPY --from=alpine /a /b", PINNED)
    assert graph.vertices[0].base == FromReference("docker.io/library/alpine:3.20")
    assert sources(graph) == {"alpine": FromReference("docker.io/library/alpine:3.20")}


def test_another_tag_is_another_name() -> None:
    assert graph_with("FROM alpine:3.19", PINNED).vertices[0].base == FromReference("docker.io/library/alpine:3.19")


def test_what_a_context_names_is_taken_as_it_is() -> None:
    contexts = (("one", ReferenceContext("docker.io/library/two:latest")), ("two", FolderContext("two")))
    assert graph_with("FROM one", *contexts).vertices[0].base == FromReference("docker.io/library/two:latest")


def test_a_context_goes_before_a_stage_and_stands_for_it_by_index_too() -> None:
    text = "FROM busybox AS sdk\nRUN make\nFROM scratch\nCOPY --from=sdk a /a\nCOPY --from=0 b /b"
    graph = graph_with(text, SDK)
    assert sources(graph) == {"sdk": FromFolder("../sdk"), "0": FromVertex("api/sdk")}
    replaced = graph.by_id()["api/sdk"]
    assert (replaced.base, replaced.stage.ops) == (FromScratch(), (Copy((".",), "/", source="sdk"),))


def test_a_context_goes_before_a_base_that_is_a_stage() -> None:
    graph = graph_with("FROM busybox AS base\nRUN make\nFROM base\nRUN test", ("base", PINNED[1]))
    assert [vertex.id for vertex in graph.vertices] == ["api"]
    assert graph.vertices[0].base == FromReference("docker.io/library/alpine:3.20")


def test_a_target_with_a_contexts_name_is_that_context() -> None:
    (vertex,) = graph_with("FROM busybox AS sdk\nRUN make\nFROM scratch", SDK, target="sdk").vertices
    assert (vertex.id, vertex.base) == ("api/sdk", FromScratch())


def test_a_repository_is_read_as_add_reads_it() -> None:
    origin = GitOrigin("https://example.com/a.git", "v1", "sub")
    text = "FROM repo\nCOPY --from=repo ../a docs/./b /\nCOPY --from=repo --parents x/y z/./w /p/\n"
    graph = graph_with(text + "RUN --mount=from=repo,source=d,target=/m x", ("repo", origin))
    assert sources(graph) == {"repo": origin}
    world = MemorySources(remotes={origin.shown: "commit"})
    every, some, parents, run = describe(graph, world, "fake")["api"].evaluation.steps
    assert {step.origin for step in (every, some, parents)} == {origin}
    assert every.selection.sources == ("sub",)
    assert some.selection.sources == ("sub/a", "sub/docs/b")
    assert parents.selection.sources == ("sub/./x/y", "sub/z/./w")
    assert (run.mounts[0].path, run.origins) == ("sub/d", (("repo", origin),))


def test_scratch_is_a_base_and_nothing_to_copy_from() -> None:
    none = ("busybox", ReferenceContext("scratch"))
    assert graph_with("FROM busybox\nCOPY a /", none).vertices[0].base == FromScratch()
    with pytest.raises(BuildFileError, match="has no files"):
        graph_with("FROM scratch\nCOPY --from=busybox a /", none)


def test_an_image_of_the_workspace_is_built_first() -> None:
    base = ImageSpec("base", context="base")
    files = {"base/Dockerfile": "FROM scratch AS early\nFROM scratch"}
    early = ("busybox", NestedBuild(image="base", target="early"))
    graph = graph_with(
        "FROM busybox\nCOPY --from=tools /a /b", early, ("tools", NestedBuild(image="base")), images=[base], files=files
    )
    assert [vertex.id for vertex in graph.vertices] == ["base/early", "base", "api"]
    assert graph.by_id()["api"].base == FromVertex("base/early")
    assert sources(graph) == {"tools": FromVertex("base")}


def test_unknown_images_and_stages_of_contexts_are_told() -> None:
    with pytest.raises(BuildFileError, match="no image named 'bse'"):
        graph_with("FROM x", ("x", NestedBuild(image="bse")))
    base = ImageSpec("base", context="base")
    context = ("x", NestedBuild(image="base", target="erly"))
    with pytest.raises(BuildFileError, match="has no stage 'erly'"):
        graph_with("FROM x", context, images=[base], files={"base/Dockerfile": "FROM scratch"})


def both(options: GraphOptions, shared=()):
    """Two images, of which `base` is what `api` could be built upon."""
    images = (
        ImageSpec("base", context="base"),
        ImageSpec("api", context="api", contexts=(("lib", FolderContext("own")),)),
    )
    texts = {
        "base/Dockerfile": "FROM alpine",
        "api/Dockerfile": "FROM alpine\nCOPY --from=lib a /\nCOPY --from=all a /",
    }

    class Loader:
        def find(self, context: str, _file: str, _span: object) -> str:
            return f"{context}/Dockerfile"

        def load(self, path: str):
            return parse_dockerfile(texts[path].encode(), path)

    return build_graph(Project("/work", images, contexts=shared), Loader(), (), options)


def test_the_command_line_wins_over_the_image_and_the_image_over_the_workspace() -> None:
    shared = (("lib", FolderContext("shared")), ("all", FolderContext("all")))
    assert sources(both(GraphOptions(), shared)) == {"all": FromFolder("all"), "lib": FromFolder("own")}
    given = GraphOptions(contexts=(("lib", FolderContext("/given")),))
    assert sources(both(given, shared)) == {"all": FromFolder("all"), "lib": FromFolder("/given")}


def test_an_image_is_never_a_context_of_itself() -> None:
    options = GraphOptions(contexts=(("alpine", NestedBuild(image="base")), ("all", FolderContext("all"))))
    graph = both(options)
    assert graph.by_id()["base"].base == FromReference("docker.io/library/alpine:latest")
    assert graph.by_id()["api"].base == FromVertex("base")
    pinned = both(options, (PINNED,))
    assert pinned.by_id()["base"].base == FromReference("docker.io/library/alpine:3.20")


def test_contexts_that_lead_in_a_circle_are_refused() -> None:
    contexts = (("alpine", NestedBuild(image="base")), ("all", NestedBuild(image="api")))
    images = [ImageSpec("base", context="base"), ImageSpec("api", context="api")]
    files = {"base/Dockerfile": "FROM all", "api/Dockerfile": "FROM alpine"}
    with pytest.raises(BuildFileError, match="need each other"):
        graph_of(images, files, options=GraphOptions(contexts=contexts))


def test_an_edit_in_a_context_runs_what_copies_it() -> None:
    world = World(MemorySources({"/work/../sdk/a": "1"}))
    graph = graph_with("FROM scratch\nCOPY --from=sdk a /", SDK)
    assert world.build(graph) == ["api"]
    assert world.actions(graph) == {"api": "cached"}
    world.sources.contents["/work/../sdk/a"] = "2"
    assert world.actions(graph) == {"api": "run"}


def test_the_same_files_from_another_folder_run_nothing() -> None:
    world = World(MemorySources({"/work/../sdk/a": "1", "/work/copy/a": "1"}))
    world.build(graph_with("FROM scratch\nCOPY --from=sdk a /", SDK))
    moved = graph_with("FROM scratch\nCOPY --from=sdk a /", ("sdk", FolderContext("copy")))
    assert world.actions(moved) == {"api": "cached"}


def test_a_trigger_of_a_base_cannot_read_a_context_yet() -> None:
    bases = {"docker.io/library/onb:latest": ImageConfig(onbuild=("COPY --from=sdk a /",))}
    with pytest.raises(BuildFileError, match="copies from 'sdk' here, which is not supported yet"):
        describe(graph_with("FROM onb", SDK), MemorySources(bases=bases), "fake")


def test_contexts_that_nothing_names_are_told() -> None:
    definition = parse_dockerfile(
        b"FROM alpine:3 AS build\nCOPY --from=sdk a /\nRUN --mount=from=tools,target=/t x", "Dockerfile"
    )
    assert unused_contexts(["sdk", "tools", "build", "alpine:3"], [definition]) == ()
    (warning,) = unused_contexts(["sdks"], [definition])
    assert (warning.severity, warning.hint) == ("warning", "did you mean 'sdk'?")
    dynamic = parse_dockerfile(b"ARG BASE\nFROM $BASE", "Dockerfile")
    assert unused_contexts(["sdks"], [dynamic]) == ()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "ws").mkdir()
    (tmp_path / "sdk").mkdir()
    (tmp_path / "ws/zbuild.yaml").write_text(
        "contexts: {sdk: ../sdk}\nimages:\n  api: {context: ../sdk, file: Dockerfile}\n"
    )
    (tmp_path / "ws/Dockerfile").write_text("FROM scratch\nCOPY . /\nCOPY --from=sdk . /\n")
    return tmp_path / "ws"


def test_a_context_outside_is_allowed_by_its_name(root: Path) -> None:
    (vertex,) = Workspace(root).graph().vertices
    assert (vertex.context, dict(vertex.sources)) == ("../sdk", {"sdk": FromFolder("../sdk")})
    (root / "zbuild.yaml").write_text("images:\n  api: {context: ../sdk, file: Dockerfile}\n")
    with pytest.raises(BuildFileError, match="leads out of the workspace") as caught:
        Workspace(root).graph()
    assert caught.value.hint == "name that folder in the workspace's 'contexts', which allows it"


def test_a_link_leads_no_further_than_the_folders_named(root: Path) -> None:
    (root / "link").symlink_to("../sdk")
    (root / "other").symlink_to("..")
    images = "  a: {context: link, file: Dockerfile}\n  b: {context: other, file: Dockerfile}\n"
    (root / "zbuild.yaml").write_text(f"contexts: {{sdk: ../sdk}}\nimages:\n{images}")
    with pytest.raises(BuildFileError) as caught:
        Workspace(root).graph()
    assert [problem.message for problem in caught.value.diagnostics] == [
        "'other' is a link that leads out of the workspace"
    ]


def test_the_graph_is_made_anew_for_other_contexts(root: Path) -> None:
    given = (("sdk", str(root)),)
    workspace = Workspace(root)
    assert dict(workspace.graph().vertices[0].sources) == {"sdk": FromFolder("../sdk")}
    graph = workspace.graph((), BuildOptions(contexts=given))
    assert dict(graph.vertices[0].sources) == {"sdk": FromFolder(str(root))}
    assert dict(workspace.graph().vertices[0].sources) == {"sdk": FromFolder("../sdk")}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("sdk", "nowhere"), "there is no folder"),
        (("sdk", "target:ap"), "there is no image named 'ap'"),
        (("SDK", "."), "cannot name a context"),
        (("sdk", "https://example.com"), "not supported yet"),
    ],
)
def test_what_is_given_wrongly_is_refused(root: Path, given: tuple[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Workspace(root).graph((), BuildOptions(contexts=(given,)))


def test_no_two_stages_share_a_log() -> None:
    names = log_names(["a.b/c", "a/b.c", "a/b/c", "x" * 300, "x" * 299 + "y", "api/build"])
    assert len(set(names.values())) == len(names)
    assert names["api/build"] == "api.build.log"
    assert all(len(name) < 255 for name in names.values())
