import pytest
from support.graphs import graph_of

from zbuild.base.errors import BuildFileError, UsageError
from zbuild.graph.build import GraphOptions
from zbuild.graph.types import FromReference, FromScratch, FromVertex
from zbuild.model.definition import Definition, NamedBase, NestedBuild, Stage
from zbuild.model.ops import Arg, Copy
from zbuild.model.project import Group, ImageSpec

BASE = ImageSpec("base", context="base", tags=("shop/base:1",))
BASE_FILE = {"base/Dockerfile": "FROM scratch\nCOPY a /"}


def problems(error: pytest.ExceptionInfo[BuildFileError]) -> list[str]:
    return [item.message for item in error.value.diagnostics]


def ids(graph) -> list[str]:
    return [vertex.id for vertex in graph.vertices]


def nested(base: NestedBuild, *ops) -> Definition:
    return Definition("x/ZImagefile", (Stage("", base, ops),))


def test_stages_are_vertices_named_after_image_and_stage() -> None:
    graph = graph_of(
        [ImageSpec("api", context="api")],
        {"api/Dockerfile": "FROM scratch AS builder\nFROM scratch\nCOPY --from=builder /a /a\nCOPY --from=0 /b /b"},
    )
    assert ids(graph) == ["api/builder", "api"]
    assert graph.by_id()["api"].sources == (("0", FromVertex("api/builder")), ("builder", FromVertex("api/builder")))
    assert [vertex.output for vertex in graph.vertices] == [False, True]
    assert graph.by_id()["api"].label == "1"


def test_stages_that_the_target_does_not_need_are_left_out() -> None:
    files = {"api/Dockerfile": "FROM scratch AS unused\nFROM scratch AS test\nFROM scratch AS final"}
    assert ids(graph_of([ImageSpec("api", context="api")], files)) == ["api/final"]
    assert ids(graph_of([ImageSpec("api", context="api")], files, ["api/test"])) == ["api/test"]
    assert ids(graph_of([ImageSpec("api", context="api")], files, options=GraphOptions(target="test"))) == ["api/test"]
    assert ids(graph_of([ImageSpec("api", context="api", target="test")], files)) == ["api/test"]


def test_a_base_that_names_another_images_tag_is_that_image() -> None:
    graph = graph_of(
        [ImageSpec("api", context="api"), BASE],
        {**BASE_FILE, "api/Dockerfile": "FROM shop/base:1\nCOPY --from=shop/base:1 /a /b"},
        ["api"],
    )
    assert ids(graph) == ["base", "api"]
    assert graph.by_id()["api"].base == FromVertex("base")
    assert graph.by_id()["api"].inputs == ("base",)
    assert [image.name for image in graph.images] == ["api", "base"]


def test_tags_are_compared_in_full() -> None:
    images = [ImageSpec("api", context="api"), ImageSpec("base", context="base", tags=("docker.io/library/thing",))]
    graph = graph_of(images, {**BASE_FILE, "api/Dockerfile": "FROM thing:latest"}, ["api"])
    assert graph.by_id()["api"].base == FromVertex("base")


def test_other_bases_are_references_in_full() -> None:
    graph = graph_of([ImageSpec("api", context="api")], {"api/Dockerfile": "ARG V=3\nFROM alpine:$V"})
    assert graph.by_id()["api"].base == FromReference("docker.io/library/alpine:3")


def test_an_image_based_on_its_own_tag_means_the_registrys() -> None:
    spec = ImageSpec("api", context="api", tags=("reg.example/api",))
    graph = graph_of([spec], {"api/Dockerfile": "FROM reg.example/api"})
    assert graph.by_id()["api"].base == FromReference("reg.example/api:latest")


def test_build_arguments_reach_the_base_and_the_command_line_wins() -> None:
    files = {"api/Dockerfile": "ARG BASE=one\nFROM $BASE"}
    spec = ImageSpec("api", context="api", build_args=(("BASE", "two"),))
    assert graph_of([spec], files).vertices[0].base == FromReference("docker.io/library/two:latest")
    graph = graph_of([spec], files, options=GraphOptions(build_args=(("BASE", "scratch"),)))
    assert graph.vertices[0].base == FromScratch()


def test_equal_nested_builds_are_one_node_wherever_they_are_named() -> None:
    parsed = {"a/Z": nested(NestedBuild("lib")), "b/Z": nested(NestedBuild("lib", "lib/Dockerfile"))}
    images = [ImageSpec("a", context="a", file="a/Z"), ImageSpec("b", context="b", file="b/Z")]
    graph = graph_of(images, {"lib/Dockerfile": "FROM scratch"}, parsed=parsed)
    assert ids(graph) == ["lib", "a", "b"]


def test_nested_builds_with_other_arguments_are_other_nodes() -> None:
    parsed = {"a/Z": nested(NestedBuild("lib", args=(("X", "1"),))), "b/Z": nested(NestedBuild("lib"))}
    images = [ImageSpec("a", context="a", file="a/Z"), ImageSpec("b", context="b", file="b/Z")]
    graph = graph_of(images, {"lib/Dockerfile": "FROM scratch"}, parsed=parsed)
    assert ids(graph) == ["lib", "a", "lib@2", "b"]


def test_a_nested_build_of_what_an_image_builds_is_that_image() -> None:
    graph = graph_of(
        [ImageSpec("app", context="app", file="app/Z"), BASE],
        BASE_FILE,
        ["app"],
        parsed={"app/Z": nested(NestedBuild("base"))},
    )
    assert ids(graph) == ["base", "app"]


def test_nested_builds_nest_a_thousand_deep() -> None:
    deep = 1000
    parsed = {f"{n}/Z": nested(NestedBuild(str(n + 1), f"{n + 1}/Z")) for n in range(deep)}
    graph = graph_of([ImageSpec("top", context="0", file="0/Z")], {f"{deep}/Z": "FROM scratch"}, parsed=parsed)
    assert len(graph.vertices) == deep + 1
    assert graph.vertices[-1].id == "top"


def test_a_nested_build_can_name_an_image_and_a_stage() -> None:
    parsed = {"app/Z": nested(NestedBuild(image="base", target="early"))}
    files = {"base/Dockerfile": "FROM scratch AS early\nFROM scratch"}
    graph = graph_of([ImageSpec("app", context="app", file="app/Z"), BASE], files, ["app"], parsed=parsed)
    assert ids(graph) == ["base/early", "app"]


def test_copy_from_an_image_of_the_workspace_by_name() -> None:
    graph = graph_of(
        [ImageSpec("api", context="api"), BASE],
        {**BASE_FILE, "api/Dockerfile": "FROM scratch\nCOPY --from=base /a /a"},
        ["api"],
    )
    assert graph.by_id()["api"].sources == (("base", FromVertex("base")),)


def test_images_that_differ_in_target_alone_share_their_stages() -> None:
    files = {"api/Dockerfile": "FROM scratch AS builder\nFROM builder AS final"}
    images = [ImageSpec("debug", context="api", target="builder"), ImageSpec("api", context="api")]
    assert len(graph_of(images, files).vertices) == 2


def test_depends_on_orders_and_brings_the_image_along() -> None:
    images = [ImageSpec("api", context="api", depends_on=("base",)), BASE]
    graph = graph_of(images, {**BASE_FILE, "api/Dockerfile": "FROM scratch"}, ["api"])
    assert ids(graph) == ["base", "api"]
    assert graph.by_id()["api"].after == ("base",)
    assert graph.by_id()["api"].inputs == ()


def test_a_cycle_over_three_files_is_told_with_its_path() -> None:
    files = {f"{name}/Dockerfile": f"FROM shop/{needed}" for name, needed in (("a", "b"), ("b", "c"), ("c", "a"))}
    images = [ImageSpec(name, context=name, tags=(f"shop/{name}",)) for name in "abc"]
    with pytest.raises(BuildFileError) as caught:
        graph_of(images, files)
    assert caught.value.code == "cycle"
    assert "a → b → c → a" in caught.value.message
    assert caught.value.span is not None
    assert caught.value.span.line == 1


def test_an_image_that_depends_on_itself() -> None:
    with pytest.raises(BuildFileError, match="depends on itself"):
        graph_of([ImageSpec("a", context="a", depends_on=("a",))], {"a/Dockerfile": "FROM scratch"})


def test_endless_nesting_is_refused() -> None:
    base = NestedBuild("lib", "lib/Z", args=(("X", "${X}x"),))
    definition = Definition("lib/Z", (Stage("", base),), args=(Arg("X", "x"),))
    with pytest.raises(BuildFileError, match="do not come to an end"):
        graph_of([ImageSpec("a", context="lib", file="lib/Z")], {}, parsed={"lib/Z": definition})


def test_all_problems_are_told_at_once() -> None:
    files = {
        "a/Dockerfile": "ARG NOTHING\nFROM ${NOTHING}\nCOPY --from=later /a /a\nFROM scratch AS later",
        "b/Dockerfile": "FROM UPPER:1",
    }
    images = [ImageSpec("a", context="a"), ImageSpec("b", context="b"), ImageSpec("c", context="missing")]
    with pytest.raises(BuildFileError) as caught:
        graph_of(images, files, ["a/0", "b", "c"])
    told = " ".join(problems(caught))
    assert "'${NOTHING}' is empty" in told
    assert "stage 'later' does not come before this one" in told
    assert "UPPER:1" in told
    assert "missing/Dockerfile" in told


def test_unknown_names_are_told_with_what_was_meant() -> None:
    files = {"api/Dockerfile": "FROM scratch AS builder\nFROM scratch"}
    images = [ImageSpec("api", context="api")]
    with pytest.raises(UsageError) as caught:
        graph_of(images, files, ["apo"])
    assert caught.value.hint == "did you mean 'api'?"
    with pytest.raises(UsageError) as caught:
        graph_of(images, files, ["api/biulder"])
    assert caught.value.hint == "did you mean 'builder'?"
    with pytest.raises(UsageError, match="no image or group matches 'x\\*'"):
        graph_of(images, files, ["x*"])
    with pytest.raises(BuildFileError, match="no stage 'nope'"):
        graph_of([ImageSpec("api", context="api", target="nope")], files)


def test_targets_are_images_stages_groups_and_globs() -> None:
    files = {f"{name}/Dockerfile": "FROM scratch" for name in ("api", "web", "db")}
    images = [ImageSpec(name, context=name) for name in ("api", "web", "db")]
    groups = [Group("default", ("front",)), Group("front", ("web", "a*"))]
    assert set(ids(graph_of(images, files, groups=groups))) == {"web", "api"}
    assert graph_of(images, files, ["d*", "db"], groups=groups).roots == ("db",)
    assert set(graph_of(images, files).roots) == {"api", "web", "db"}


def test_an_unknown_stage_of_the_copy_is_a_reference() -> None:
    files = {"api/Dockerfile": "FROM scratch\nCOPY --from=docker.io/library/busybox:1 /a /a"}
    graph = graph_of([ImageSpec("api", context="api")], files)
    assert graph.vertices[0].sources[0][1] == FromReference("docker.io/library/busybox:1")


def test_platforms_of_stages_may_use_variables() -> None:
    files = {"api/Dockerfile": "FROM --platform=$BUILDPLATFORM scratch AS b\nFROM scratch\nCOPY --from=b /a /a"}
    graph = graph_of([ImageSpec("api", context="api", platforms=("linux/s390x",))], files)
    assert str(graph.by_id()["api"].platform) == "linux/s390x"
    assert str(graph.by_id()["api/b"].platform) != "linux/s390x"


def test_copies_are_not_made_from_definitions_given_in_line() -> None:
    definition = Definition("zbuild.yaml", (Stage("", NamedBase("scratch"), (Copy(("a",), "/"),)),))
    graph = graph_of([ImageSpec("in", definition=definition)], {})
    assert ids(graph) == ["in"]
    assert graph.vertices[0].file == ""


def test_a_nested_build_named_like_a_stage_is_not_taken_for_it() -> None:
    files = {
        "libs/Dockerfile": "FROM scratch AS shop\nFROM scratch\nCOPY --from=shop /a /a",
        "libs/shop/Dockerfile": "FROM scratch",
    }
    images = [ImageSpec("libs", context="libs"), ImageSpec("app", context="app", file="app/Z")]
    graph = graph_of(images, files, parsed={"app/Z": nested(NestedBuild("libs/shop"))})
    assert sorted(ids(graph)) == ["app", "libs", "libs/shop", "libs/shop@2"]
    nested_id = graph.by_id()["app"].inputs[0]
    assert graph.by_id()[nested_id].context == "libs/shop"


def test_arguments_of_the_command_line_reach_nested_builds() -> None:
    parsed = {"a/Z": nested(NestedBuild("lib", args=(("X", "own"),)))}
    options = GraphOptions(build_args=(("X", "given"),))
    images = [ImageSpec("a", context="a", file="a/Z")]
    graph = graph_of(images, {"lib/Dockerfile": "ARG X\nFROM $X"}, parsed=parsed, options=options)
    assert graph.by_id()["lib"].base == FromReference("docker.io/library/given:latest")


def test_an_image_asked_for_by_stage_stands_for_that_stage() -> None:
    files = {"api/Dockerfile": "FROM scratch AS builder\nFROM scratch"}
    graph = graph_of([ImageSpec("api", context="api", tags=("t/api",))], files, ["api/builder"])
    assert [(image.name, image.vertices, image.tags) for image in graph.images] == [("api", ("api/builder",), ())]


def stages_of(text: str):
    return graph_of([ImageSpec("api", context="api")], {"api/Dockerfile": text})


def test_of_stages_of_one_name_from_takes_the_last_before_it() -> None:
    graph = stages_of("FROM a AS x\nFROM x AS x\nCOPY 2 /\nFROM x\nCOPY 3 /")
    assert ids(graph) == ["api/x@2", "api/x", "api"]
    assert graph.by_id()["api"].base == FromVertex("api/x")
    assert graph.by_id()["api/x"].base == FromVertex("api/x@2")


def test_of_stages_of_one_name_copy_takes_the_last_of_all_and_so_it_must_stand_before() -> None:
    graph = stages_of("FROM a AS x\nFROM b AS X\nFROM scratch\nCOPY --from=x /a /a\nCOPY --from=0 /b /b")
    sources = dict(graph.by_id()["api"].sources)
    assert graph.by_id()[sources["x"].vertex].base == FromReference("docker.io/library/b:latest")
    assert graph.by_id()[sources["0"].vertex].base == FromReference("docker.io/library/a:latest")
    with pytest.raises(BuildFileError) as caught:
        stages_of("FROM a AS x\nFROM scratch AS y\nCOPY --from=x /a /a\nFROM b AS x\nFROM y")
    assert problems(caught) == ["stage 'x' does not come before this one"]


def test_a_name_with_a_number_is_an_image_for_from_and_a_stage_for_copy() -> None:
    graph = stages_of("FROM scratch\nFROM 0\nCOPY --from=0 /a /b")
    assert graph.by_id()["api"].base == FromReference("docker.io/library/0:latest")
    assert dict(graph.by_id()["api"].sources) == {"0": FromVertex("api/0")}


def test_a_stage_may_have_the_name_of_its_own_base() -> None:
    graph = stages_of("FROM alpine AS alpine\nFROM alpine\nCOPY a /")
    assert graph.by_id()["api/alpine"].base == FromReference("docker.io/library/alpine:latest")
    assert graph.by_id()["api"].base == FromVertex("api/alpine")


def test_what_can_be_read_and_not_built_is_refused_where_it_would_be_built() -> None:
    refused = "FROM scratch AS {}\nRUN --security=insecure a\nRUN --device=b,required --device=c a\nRUN []\n"
    refused += "COPY --chmod=999 a b\nCOPY --chmod=$M a b\nCOPY --chmod=u=rwX,go=rX a b\n"
    text = f"{refused.format('unused')}{refused.format('base')}ONBUILD RUN --device=d e\nFROM base\n"
    with pytest.raises(BuildFileError) as error:
        graph_of([ImageSpec("api", context="api")], {"api/Dockerfile": text})
    assert sorted((item.span.line if item.span else 0, item.message) for item in error.value.diagnostics) == [
        (9, "RUN --security=insecure is not supported"),
        (10, "RUN --device is not supported"),
        (11, "RUN needs a command"),
        (12, "'999' is no mode; write it like 0755, or u=rwX,go=rX"),
        (16, "ONBUILD of the base: RUN --device is not supported"),
    ]
