"""What runs and what does not, told by plans over a chain of images whose records live in memory."""

from dataclasses import replace

import pytest
from support.graphs import World, graph_of

from zbuild.api.options import BuildOptions
from zbuild.base.errors import BuildFileError, MissingImagesError
from zbuild.model.project import ImageSpec
from zbuild.plan.planner import make_plan

BASE = "FROM scratch\nCOPY tools /bin/"
BUILDER = (
    "FROM shop/base AS builder\nCOPY main.c /src/\nRUN cc /src/main.c\nFROM shop/base\nCOPY --from=builder /out /app"
)
IMAGES = [
    ImageSpec("base", context="base", tags=("shop/base",)),
    ImageSpec("api", context="api", tags=("shop/api",)),
    ImageSpec("child", context="child"),
]
FILES = {"base/Dockerfile": BASE, "api/Dockerfile": BUILDER, "child/Dockerfile": "FROM shop/api\nCMD run"}


@pytest.fixture
def world() -> World:
    made = World()
    made.sources.contents = {"/work/base/tools": "tools 1", "/work/api/main.c": "main 1"}
    return made


@pytest.fixture
def graph():
    return graph_of(IMAGES, FILES)


def test_everything_runs_at_first_and_nothing_the_second_time(world, graph) -> None:
    assert set(world.actions(graph).values()) == {"run"}
    assert world.build(graph) == ["base", "api/builder", "api", "child"]
    assert set(world.actions(graph).values()) == {"cached"}
    assert world.build(graph) == []


def test_a_changed_file_runs_its_stage_and_what_is_based_on_it(world, graph) -> None:
    world.build(graph)
    world.sources.contents["/work/api/main.c"] = "main 2"
    assert world.actions(graph) == {"base": "cached", "api/builder": "run", "api": "maybe", "child": "maybe"}
    assert world.build(graph) == ["api/builder", "api", "child"]


def test_early_cutoff_an_equal_result_reruns_nothing_further(world, graph) -> None:
    world.build(graph, {"api/builder": "the binary"})
    world.sources.contents["/work/api/main.c"] = "main with a comment"
    assert world.actions(graph)["api"] == "maybe"
    assert world.build(graph, {"api/builder": "the binary"}) == ["api/builder"]
    decisions = world.decide(graph)
    assert {decision.action for decision in decisions.values()} == {"cached"}
    assert decisions["api"].reason == "up to date: api/builder ran again and came out equal (early cutoff)"


def test_a_stage_that_changed_itself_surely_runs(world) -> None:
    world.build(graph_of(IMAGES, FILES))
    world.sources.contents["/work/api/main.c"] = "main 2"
    changed = graph_of(IMAGES, FILES | {"api/Dockerfile": BUILDER.replace("/app", "/other")})
    assert world.actions(changed)["api"] == "run"


def test_a_change_of_the_base_runs_everything_above_it(world, graph) -> None:
    world.build(graph)
    world.sources.contents["/work/base/tools"] = "tools 2"
    assert world.actions(graph) == {"base": "run", "api/builder": "maybe", "api": "maybe", "child": "maybe"}
    assert world.decide(graph)["api/builder"].reason == "runs if its base base comes out different"
    assert world.build(graph) == ["base", "api/builder", "api", "child"]


def test_a_base_that_comes_out_equal_reruns_nothing_that_starts_from_it(world, graph) -> None:
    world.build(graph, {"base": "the tools"})
    world.sources.contents["/work/base/tools"] = "tools with a comment"
    assert world.actions(graph)["api"] == "maybe"
    assert world.build(graph, {"base": "the tools"}) == ["base"]
    decisions = world.decide(graph)
    assert {decision.action for decision in decisions.values()} == {"cached"}
    assert decisions["api"].reason == "up to date: base ran again and came out equal (early cutoff)"


def test_what_a_result_never_told_of_itself_is_asked_before_others_count_as_cached(world, graph) -> None:
    world.build(graph)
    last = world.records.latest("base")
    world.records.kept.append(replace(last, content=""))
    assert world.actions(graph) == {"base": "cached", "api/builder": "maybe", "api": "maybe", "child": "maybe"}


def test_going_back_to_what_was_built_before_runs_nothing(world, graph) -> None:
    world.build(graph)
    world.sources.contents["/work/api/main.c"] = "main 2"
    world.build(graph)
    world.sources.contents["/work/api/main.c"] = "main 1"
    assert set(world.actions(graph).values()) == {"cached"}


def test_comments_names_and_tags_are_in_no_key(world, graph) -> None:
    world.build(graph)
    renamed = [ImageSpec("base", context="base", tags=("shop/base", "more:1"), span=IMAGES[0].span), *IMAGES[1:]]
    files = FILES | {"api/Dockerfile": "# a comment\n" + BUILDER.replace("AS builder", "AS  builder")}
    assert set(world.actions(graph_of(renamed, files)).values()) == {"cached"}


def test_a_final_image_that_is_gone_runs_again(world, graph) -> None:
    world.build(graph)
    world.present.discard(world.records.latest("child").image_id)
    decisions = world.decide(graph)
    assert {name for name, decision in decisions.items() if decision.action == "run"} == {"child"}
    assert decisions["child"].reason == "its image is gone from the store"


def test_a_builder_whose_image_is_gone_is_not_missed_until_it_is_needed(world) -> None:
    graph = graph_of(IMAGES, FILES, ["child"])
    world.build(graph)
    world.present.discard(world.records.latest("api/builder").image_id)
    decisions = world.decide(graph)
    assert {decision.action for decision in decisions.values()} == {"cached"}
    assert decisions["api/builder"].reason == "not needed: what uses it is up to date"


def test_what_a_running_stage_needs_is_brought_back(world) -> None:
    graph = graph_of(IMAGES, FILES, ["child"])
    world.build(graph)
    world.present -= {world.records.latest(name).image_id for name in ("child", "api")}
    actions = world.actions(graph)
    assert (actions["api/builder"], actions["api"], actions["child"]) == ("cached", "run", "run")


def test_always_runs_all_that_the_targets_need(world, graph) -> None:
    world.build(graph)
    assert {decision.action for decision in world.decide(graph, BuildOptions(always=True)).values()} == {"run"}


def test_no_cache_runs_one_image_each_time(world) -> None:
    images = [*IMAGES[:2], ImageSpec("child", context="child", no_cache=True)]
    graph = graph_of(images, FILES)
    world.build(graph)
    decisions = world.decide(graph)
    assert decisions["child"].reason == "no_cache is set"
    assert decisions["api"].action == "cached"


def test_reasons_name_the_input_that_differs(world, graph) -> None:
    world.build(graph)
    world.sources.contents["/work/api/main.c"] = "main 2"
    decision = world.decide(graph)["api/builder"]
    assert decision.reason == "files of COPY main.c /src/ changed"
    assert [(change.what, change.old, change.new) for change in decision.changes] == [("files", "main 1", "main 2")]


def test_a_moved_base_is_named_and_runs_only_its_dependents(world) -> None:
    images = [ImageSpec("a", context="a"), ImageSpec("b", context="b")]
    graph = graph_of(images, {"a/Dockerfile": "FROM reg.example/x\nRUN a", "b/Dockerfile": "FROM scratch\nCOPY t /"})
    world.sources.contents["/work/b/t"] = "t"
    world.build(graph)
    world.sources.digests["reg.example/x:latest"] = "sha256:new"
    decisions = world.decide(graph)
    assert (decisions["a"].action, decisions["b"].action) == ("run", "cached")
    assert decisions["a"].reason == "its base reg.example/x:latest moved"
    assert decisions["a"].changes[0].new == "sha256:new"


def test_another_base_is_not_one_that_moved(world) -> None:
    images = [ImageSpec("a", context="a")]
    world.build(graph_of(images, {"a/Dockerfile": "FROM reg.example/x\nRUN a"}))
    decision = world.decide(graph_of(images, {"a/Dockerfile": "FROM reg.example/y\nRUN a"}))["a"]
    assert decision.reason == "base changed"
    assert decision.changes[0].old == "reg.example/x:latest@sha256:reg.example/x:latest"
    assert decision.changes[0].new == "reg.example/y:latest@sha256:reg.example/y:latest"


def test_build_arguments_count_only_where_they_are_declared(world) -> None:
    files = {"a/Dockerfile": "FROM scratch AS one\nRUN one\nFROM scratch\nARG V\nRUN two\nCOPY --from=one /x /x"}
    world.build(graph_of([ImageSpec("a", context="a", build_args=(("V", "1"),))], files))
    again = graph_of([ImageSpec("a", context="a", build_args=(("V", "2"), ("OTHER", "x")))], files)
    decisions = world.decide(again)
    assert (decisions["a/one"].action, decisions["a"].action) == ("cached", "run")
    assert decisions["a"].reason == "variable V changed"


def test_values_of_secretive_names_are_kept_as_digests_alone(world) -> None:
    spec = ImageSpec("a", context="a", build_args=(("API_TOKEN", "hunter2"),))
    world.build(graph_of([spec], {"a/Dockerfile": "FROM scratch\nARG API_TOKEN\nENV P=$API_TOKEN\nRUN x"}))
    kept = str(world.records.latest("a").inputs)
    assert "API_TOKEN" in kept
    assert "variable API_TOKEN', 'sha256:" in kept


def test_a_missing_source_is_told_with_its_place(world) -> None:
    graph = graph_of([ImageSpec("a", context="a")], {"a/Dockerfile": "FROM scratch\nCOPY gone /\nCOPY lost /"})
    with pytest.raises(BuildFileError) as caught:
        world.decide(graph)
    assert [(str(item.span), item.code) for item in caught.value.diagnostics] == [
        ("a/Dockerfile:2:1", "missing-source"),
        ("a/Dockerfile:3:1", "missing-source"),
    ]


def test_the_plan_lists_stages_in_order_with_times_and_needs(world, graph) -> None:
    world.build(graph)
    world.sources.contents["/work/api/main.c"] = "main 2"
    plan = make_plan(graph, world.decide(graph), world.records, "fake")
    assert [(stage.image, stage.stage, stage.action) for stage in plan.stages] == [
        ("base", "0", "cached"),
        ("api", "builder", "run"),
        ("api", "1", "maybe"),
        ("child", "0", "maybe"),
    ]
    assert plan.stages[2].reason == "runs if what it copies from api/builder comes out different"
    assert plan.stages[1].seconds == 1.5
    assert plan.stages[2].depends == ("base", "api/builder")
    assert plan.stages[1].key
    assert not plan.stages[2].key


def test_a_stage_based_on_one_that_may_run_may_run(world, graph) -> None:
    files = FILES | {"child/Dockerfile": "FROM shop/api\nCMD run"}
    world.build(graph_of(IMAGES, files), {"api/builder": "the binary"})
    world.sources.contents["/work/api/main.c"] = "main with a comment"
    decisions = world.decide(graph)
    assert (decisions["api"].action, decisions["child"].action) == ("maybe", "maybe")
    assert decisions["child"].reason == "runs if its base api comes out different"
    assert world.build(graph, {"api/builder": "the binary"}) == ["api/builder"]


def test_of_equal_stages_one_runs_and_the_others_take_its_result(world) -> None:
    images = [ImageSpec("one", context="a", file="a/Dockerfile"), ImageSpec("two", context="b", file="b/Dockerfile")]
    same = "FROM scratch\nRUN make"
    decisions = world.decide(graph_of(images, {"a/Dockerfile": same, "b/Dockerfile": same}))
    assert [(item.action, item.same_as) for item in decisions.values()] == [("run", ""), ("cached", "one")]
    assert decisions["two"].reason == "the same as one"


def test_what_a_bind_mount_shows_is_in_the_key(world) -> None:
    text = "FROM scratch\nRUN --mount=type=bind,from=reg.example/x,source=/{},target=/m cat /m/f"
    world.build(graph_of([ImageSpec("a", context="a")], {"a/Dockerfile": text.format("a")}))
    assert world.actions(graph_of([ImageSpec("a", context="a")], {"a/Dockerfile": text.format("b")})) == {"a": "run"}


REMOTE = {"a/Dockerfile": "FROM scratch\nADD https://h.test/x /\nADD git://h.test/r#main /r\n"}


def test_what_is_at_a_url_is_in_the_key_and_where_it_is_is_not(world) -> None:
    world.sources.remotes = {
        "https://h.test/x": "sha256:1",
        "git://h.test/r#main": "c1",
        "https://mirror.test/x": "sha256:1",
    }
    image = [ImageSpec("a", context="a")]
    world.build(graph_of(image, REMOTE))
    assert world.actions(
        graph_of(image, {"a/Dockerfile": REMOTE["a/Dockerfile"].replace("h.test/x", "mirror.test/x")})
    ) == {"a": "cached"}
    pinned = {"a/Dockerfile": REMOTE["a/Dockerfile"].replace("ADD https", f"ADD --checksum=sha256:{'1' * 64} https")}
    assert world.actions(graph_of(image, pinned)) == {"a": "run"}
    world.sources.remotes["https://h.test/x"] = "sha256:2"
    decision = world.decide(graph_of(image, REMOTE))["a"]
    assert (decision.action, decision.reason) == ("run", "content of ADD https://h.test/x / changed")
    assert [(change.what, change.old, change.new) for change in decision.changes] == [
        ("content", "sha256:1", "sha256:2")
    ]


@pytest.mark.parametrize("flag", ["--keep-git-dir", "--chown=1", "--chmod=0600"])
def test_how_a_commit_lands_is_in_the_key(world, flag) -> None:
    world.sources.remotes = {"https://h.test/x": "sha256:1", "git://h.test/r#main": "c1"}
    image = [ImageSpec("a", context="a")]
    world.build(graph_of(image, REMOTE))
    changed = {"a/Dockerfile": REMOTE["a/Dockerfile"].replace("ADD git", f"ADD {flag} git")}
    assert world.actions(graph_of(image, changed)) == {"a": "run"}


def test_all_urls_that_cannot_be_had_are_told_with_their_places(world) -> None:
    with pytest.raises(MissingImagesError) as raised:
        world.decide(graph_of([ImageSpec("a", context="a")], REMOTE))
    told = [(str(problem.span), problem.message.split()[0], problem.hint) for problem in raised.value.diagnostics]
    assert told == [
        ("a/Dockerfile:2:1", "https://h.test/x", "check the URL"),
        ("a/Dockerfile:3:1", "git://h.test/r#main", "check the URL"),
    ]
    assert raised.value.exit_code == 4
