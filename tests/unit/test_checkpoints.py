"""Where builds of a workspace begin, and what they leave to the next, with images that are folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from zbuild.api.checkpoints import CommitPrice
from zbuild.api.options import BuildOptions
from zbuild.api.workspace import Workspace
from zbuild.backend.fake.images import ImageFolder
from zbuild.base.errors import BuildFailedError, UsageError
from zbuild.cli.main import run
from zbuild.events.types import InstructionFinished, InstructionStarted, Output, StageFailed, StageStarted
from zbuild.state.folder import StateFolder
from zbuild.state.records import RecordStore

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.events.types import Event

ALL = BuildOptions(backend="fake", layers="all", jobs=1)
_STEPS = ("WORKDIR /w", "RUN write /a 1", "COPY f /f", "RUN write /b 1")


class Shop:
    """A workspace with a Dockerfile of four steps."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = ImageFolder(root / ".zbuild/fake/images")
        self.events: list[Event] = []
        self.write("zbuild.yaml", "images: {app: {context: .}}\n")
        self.write("f", "1")
        self.dockerfile(*_STEPS)

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(exist_ok=True)
        (self.root / name).write_text(text)

    def dockerfile(self, *instructions: str, folder: str = ".") -> None:
        self.write(f"{folder}/Dockerfile", "\n".join(["FROM scratch", *instructions, ""]))

    def build(self, options: BuildOptions = ALL) -> list[str]:
        """Build; return the instructions that were run."""
        self.events.clear()
        Workspace(self.root).build((), options, self.events.append)
        return [event.text for event in self.events if isinstance(event, InstructionStarted)]

    def plan(self, options: BuildOptions = ALL) -> list[tuple[int, int]]:
        """Return how many of its steps each stage would find in a checkpoint."""
        return [(stage.done, stage.steps) for stage in Workspace(self.root).plan((), options).stages]

    def checkpoints(self) -> list[tuple[str, int]]:
        with RecordStore.open(StateFolder.open(self.root), pytest.fail) as records:
            return [(checkpoint.stage, checkpoint.done) for checkpoint in records.checkpoints.all()]

    def listed(self) -> dict[str, bool]:
        """Return what is kept and present, and whether it is needed."""
        stages = Workspace(self.root).cache(ALL).stages()
        return {stage.stage: stage.needed for stage in stages if stage.present}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_build_begins_at_the_first_step_that_changed(shop: Shop) -> None:
    assert shop.build() == [*_STEPS]
    assert shop.plan() == [(0, 4)]  # of a stage that is cached nothing need be told
    shop.write("f", "2")
    assert shop.plan() == [(2, 4)]
    assert shop.build() == ["COPY f /f", "RUN write /b 1"]
    (started,) = [event for event in shop.events if isinstance(event, StageStarted)]
    assert (started.done, started.steps) == (2, 4)
    assert [event.index for event in shop.events if isinstance(event, InstructionFinished) and event.cached] == [1, 2]


def test_what_comes_back_is_found_again(shop: Shop) -> None:
    shop.build()
    shop.dockerfile(*_STEPS[:2], "RUN write /other 1")
    assert shop.build() == ["RUN write /other 1"]
    shop.dockerfile(*_STEPS[:3], "RUN write /third 1")
    assert shop.build() == ["RUN write /third 1"]


def test_a_new_step_at_the_end_goes_on_from_the_last_result(shop: Shop) -> None:
    options = BuildOptions(backend="fake", layers="none")
    shop.build(options)
    assert shop.checkpoints() == []
    shop.dockerfile(*_STEPS, "RUN write /c 1")
    assert shop.plan(options) == [(4, 5)]
    assert shop.build(options) == ["RUN write /c 1"]


def test_a_change_of_configuration_runs_nothing(shop: Shop) -> None:
    shop.build()
    for command in ("a", "b"):
        shop.dockerfile(*_STEPS, f'CMD ["{command}"]')
        assert shop.build() == []
    assert len(next(iter(shop.images.all().values())).layers) <= 5


def test_settings_in_the_middle_change_only_what_can_see_them(shop: Shop) -> None:
    shop.build()
    shop.dockerfile(*_STEPS[:3], "ENV A=1", _STEPS[3])
    assert shop.build() == [_STEPS[3]]
    shop.dockerfile("LABEL a=b", *_STEPS[:3], "ENV A=1", _STEPS[3])
    assert shop.build() == []


def test_images_that_begin_alike_share_checkpoints(shop: Shop) -> None:
    shop.build()
    shop.write("zbuild.yaml", "images: {app: {context: .}, other: {context: other}}\n")
    shop.dockerfile(*_STEPS[:2], "RUN write /other 1", folder="other")
    assert shop.build() == ["RUN write /other 1"]
    assert ("other", 2) not in shop.checkpoints()


def alike(shop: Shop, *instructions: str) -> None:
    """Let three images begin with the same instructions: two with one more that they have in common."""
    shop.write("zbuild.yaml", "images: {a: {context: a}, b: {context: b}, c: {context: c}}\n")
    for name, more in {"a": ["RUN write /a 1"], "b": ["RUN write /x 1"], "c": ["RUN write /x 1", "COPY g /g"]}.items():
        shop.dockerfile(*instructions, *more, folder=name)
    shop.write("c/g", "1")


@pytest.mark.parametrize("jobs", [1, 3])
def test_images_that_begin_alike_do_it_once_in_one_run(shop: Shop, jobs: int) -> None:
    alike(shop, "RUN write /1 1", "RUN sleep 0.5", "RUN write /2 2", "WORKDIR /w")
    ran = shop.build(BuildOptions(backend="fake", layers="all", jobs=jobs))
    assert sorted(ran) == sorted(
        ["RUN write /1 1", "RUN sleep 0.5", "RUN write /2 2", "RUN write /a 1", "RUN write /x 1", "COPY g /g"]
        + [text for text in ran if text == "WORKDIR /w"]
    )


def test_a_checkpoint_is_made_where_images_part(shop: Shop) -> None:
    alike(shop, "RUN sleep 0.5")
    ran = shop.build(BuildOptions(backend="fake", jobs=3))
    assert ran.count("RUN sleep 0.5") == 1
    assert ("a", 1) in shop.checkpoints() or ("b", 1) in shop.checkpoints() or ("c", 1) in shop.checkpoints()


def test_what_fails_for_one_is_tried_by_the_others(shop: Shop) -> None:
    alike(shop, "RUN sleep 0.2", "RUN fail 3 no")
    with pytest.raises(BuildFailedError):
        shop.build(BuildOptions(backend="fake", layers="all", jobs=3, keep_going=True))
    failed = [event.stage for event in shop.events if isinstance(event, StageFailed)]
    assert sorted(failed) == ["a", "b", "c"]
    assert [event.text for event in shop.events if isinstance(event, InstructionStarted)].count("RUN sleep 0.2") == 1


def test_what_failed_leaves_what_was_done(shop: Shop) -> None:
    shop.dockerfile(*_STEPS[:2], "RUN fail 3 no")
    with pytest.raises(BuildFailedError):
        shop.build()
    assert shop.checkpoints() == [("app", 1), ("app", 2)]
    shop.dockerfile(*_STEPS)
    assert shop.build() == list(_STEPS[2:])


def test_an_image_that_was_removed_is_a_miss(shop: Shop) -> None:
    shop.build()
    images = shop.images.all()
    shop.images.remove([image for image, kept in images.items() if len(kept.layers) >= 3])
    shop.dockerfile(*_STEPS[:3], "RUN write /c 1")
    assert shop.plan() == [(2, 4)]
    assert shop.build() == ["COPY f /f", "RUN write /c 1"]


def test_one_that_is_removed_during_the_run_is_too(shop: Shop) -> None:
    shop.build()
    shop.write("f", "2")

    def remove(event: Event) -> None:
        if isinstance(event, StageStarted) and event.done:
            shop.images.remove(shop.images.all())

    Workspace(shop.root).build((), ALL, shop.events.append, remove)
    assert [event.done for event in shop.events if isinstance(event, StageStarted)][1:] == [2, 0]


def test_a_file_that_is_edited_meanwhile_gets_no_checkpoint(shop: Shop) -> None:
    shop.dockerfile("COPY f /f", "RUN say go", "RUN write /b 1")

    def edit(event: Event) -> None:
        if isinstance(event, Output) and not (shop.root / "done").exists():
            shop.write("done", "")
            shop.write("f", "2")

    Workspace(shop.root).build((), ALL, edit)
    shop.write("f", "1")
    shop.dockerfile("COPY f /f", "RUN say go", "RUN write /c 1")
    assert shop.build()[-2:] == ["RUN say go", "RUN write /c 1"]  # what was made with the other file does not count


def test_a_prefix_is_known_by_what_others_came_to(shop: Shop) -> None:
    """A builder that ran again and made the same leaves the checkpoints of those who copy from it good."""
    text = "FROM scratch AS made\n{}\nRUN write /out 1\nFROM scratch\nCOPY --from=made /out /\nRUN write /b {}\n"
    shop.write("Dockerfile", text.format("COPY f /f", 1))
    shop.build()
    shop.write("f", "2")
    shop.write("Dockerfile", text.format("COPY f /f", 2))
    assert shop.plan() == [(0, 2), (0, 2)]  # not known before the builder has run
    assert shop.build() == ["COPY f /f", "RUN write /out 1", "RUN write /b 2"]


@pytest.mark.parametrize(
    ("options", "ran"),
    [
        ({"always": True}, 4),
        ({"no_cache": ("*",)}, 4),
        ({"no_cache": ("app",)}, 4),
        ({"no_cache": ("app/0",)}, 4),
        ({"no_cache": ()}, 0),
    ],
)
def test_what_is_asked_to_run_uses_no_checkpoint(shop: Shop, options: dict[str, object], ran: int) -> None:
    shop.build()
    assert len(shop.build(BuildOptions(backend="fake", layers="all", **options))) == ran


def test_what_is_run_again_leaves_nothing_of_the_last_time(shop: Shop) -> None:
    shop.build()
    before = shop.images.all()
    for _ in range(2):
        shop.build(BuildOptions(backend="fake", layers="all", always=True))
    after = shop.images.all()
    assert len(after) == len(before) == 4
    assert not before.keys() & after.keys()


def test_what_is_run_again_leaves_what_a_user_named(shop: Shop) -> None:
    shop.build()
    before = shop.images.all()
    for number, image_id in enumerate(before):
        shop.images.tag(image_id, [f"localhost/mine:{number}"])
    shop.build(BuildOptions(backend="fake", layers="all", always=True))
    assert before.keys() < shop.images.all().keys()


def test_no_cache_is_for_the_images_and_stages_that_are_named(shop: Shop) -> None:
    shop.write(
        "Dockerfile", "FROM scratch AS a\nRUN write /a 1\nFROM scratch AS b\nRUN write /b 1\nCOPY --from=a /a /\n"
    )
    shop.build()
    assert shop.build(BuildOptions(backend="fake", no_cache=("app/a",))) == ["RUN write /a 1"]
    assert len(shop.build(BuildOptions(backend="fake", no_cache=("app/b",)))) == 2
    with pytest.raises(UsageError, match="--no-cache names 'app/x'"):
        shop.build(BuildOptions(backend="fake", no_cache=("app/x",)))


def test_the_build_file_says_where_checkpoints_are_kept(shop: Shop) -> None:
    shop.write("zbuild.yaml", "defaults: {layers: all}\nimages: {app: {context: .}, b: {context: b, layers: none}}\n")
    shop.dockerfile("RUN write /1 1", "RUN write /2 2", folder="b")
    shop.build(BuildOptions(backend="fake"))
    assert shop.checkpoints() == [("app", 1), ("app", 2), ("app", 3)]


def test_checkpoints_are_listed_and_go_when_nothing_leads_to_them(shop: Shop) -> None:
    shop.build()
    assert shop.listed() == {"app": True, "app (1 of 4)": True, "app (2 of 4)": True, "app (3 of 4)": True}
    shop.dockerfile(_STEPS[0], "RUN write /other 1")
    shop.build()
    assert {stage for stage, needed in shop.listed().items() if not needed} == {"app (2 of 4)", "app (3 of 4)"}
    removed = Workspace(shop.root).cache(ALL).prune().removed
    assert [what.partition(" of ")[2] for what in removed] == ["app", "app (2 of 4)", "app (3 of 4)"]
    shop.dockerfile(_STEPS[0], "RUN write /third 1")
    assert shop.build() == ["RUN write /third 1"]
    assert shop.checkpoints() == [("app", 1)]


def test_people_are_told_how_much_is_there(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.build()
    shop.write("f", "2")
    folder = ["-C", str(shop.root), "--backend", "fake"]
    assert run(["plan", *folder]) == 0
    assert "files of COPY f /f changed (2 of 4 instructions from a checkpoint)" in capsys.readouterr().out
    assert run(["explain", "app", *folder, "--format", "json"]) == 0
    (stage,) = json.loads(capsys.readouterr().out)["stages"]
    assert (stage["done"], stage["steps"]) == (2, 4)
    assert run(["build", *folder, "--progress", "plain"]) == 0
    told = capsys.readouterr().err
    assert "started: files of COPY f /f changed (2 of 4 instructions from a checkpoint)" in told
    assert "1/4" not in told


@pytest.mark.parametrize(
    ("arguments", "targets", "fields"),
    [
        (["--no-cache", "app"], ("app",), {"no_cache": ("*",)}),
        (["--no-cache=app", "--no-cache=b/c"], (), {"no_cache": ("app", "b/c")}),
        (["--layers"], (), {"layers": "all"}),
        (["--no-layers"], (), {"layers": "none"}),
        ([], (), {}),
    ],
)
def test_options(monkeypatch, shop: Shop, arguments: list[str], targets: tuple[str, ...], fields) -> None:
    seen = []
    monkeypatch.setattr(Workspace, "build", lambda _self, names, options, *_others: seen.append((names, options)))
    run(["build", "-C", str(shop.root), "--progress=quiet", *arguments])
    assert seen == [(targets, BuildOptions(**fields))]


class Texts(dict[str, str]):
    set = dict.__setitem__


def test_what_a_commit_costs_is_learned() -> None:
    memory = Texts()
    price = CommitPrice(memory, "fake")
    price.save()
    assert (price.remembered(), memory) == ((0.1, 4e-9), {})
    price.learn([(0.5, 100), (0.9, 10_000), (2.5, 100_000_000), (2.0, 10_000_000)])
    price.save()
    # More than was thought is believed little by little; what is neither small nor large tells nothing.
    assert CommitPrice(memory, "fake").remembered() == pytest.approx((0.2, 8e-9))
    assert CommitPrice(memory, "other").remembered() == (0.1, 4e-9)


def test_less_than_was_thought_is_believed_at_once() -> None:
    price = CommitPrice(Texts(), "fake")
    price.learn([(0.04, 0)])
    price.save()
    assert price.remembered() == (0.04, 4e-9)


def test_large_commits_alone_do_not_make_commits_dear() -> None:
    memory = Texts()
    price = CommitPrice(memory, "fake")
    price.learn([(9.0, 300_000_000), (0.05, 300_000_000)])
    price.save()
    fixed, per_byte = price.remembered()
    assert fixed == 0.1
    assert 0 < per_byte < 1e-9


@pytest.mark.parametrize("text", ["0.1 much", "0.2", "0 0", "nan 1", "1 -1", ""])
def test_what_is_remembered_may_be_nonsense(text: str) -> None:
    price = CommitPrice(Texts({"seconds of a commit by fake": text}), "fake")
    assert price.remembered() == (0.1, 4e-9)


def test_a_bare_no_cache_is_told_as_it_was_written(shop: Shop) -> None:
    shop.build()
    stages = Workspace(shop.root).plan((), BuildOptions(backend="fake", no_cache=("*",))).stages
    assert [stage.reason for stage in stages] == ["asked to run it (--no-cache)"]
