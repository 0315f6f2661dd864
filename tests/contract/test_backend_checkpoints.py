"""What every backend does with checkpoints: when they are made, what they hold, and how a build goes on from one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from support.lab import BASE_CONFIG, run

from zbuild.backend.protocol import Layering, Start
from zbuild.base.errors import ImageGoneError, StageError
from zbuild.events.types import InstructionFinished, InstructionStarted
from zbuild.model.steps import FolderStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.lab import Lab

    from zbuild.backend.protocol import KeptFiles, StageResult

KEYS = ("files-1", "files-2", "files-3", "files-4")
STEPS = (
    run("/bin/write", "/one", "1"),
    run("/bin/write", "/two", "2"),
    FolderStep("/three"),
    run("/bin/write", "/three/four", "4"),
)


@pytest.fixture(autouse=True)
def _swept(lab: Lab) -> Iterator[None]:
    """Leave nothing that another test's sweep would find."""
    yield
    lab.backend.sweep((), ())


def build(lab: Lab, *steps: Any, mode: str = "all", **fields: Any) -> tuple[StageResult, list[KeptFiles]]:
    """Build a stage; return its result and the checkpoints that were told of."""
    kept: list[KeptFiles] = []
    layering = Layering(mode, KEYS[: len(steps)], fields.pop("price", 0.05), likely=fields.pop("likely", ()))
    order = lab.order("stage", *steps, layering=layering, **fields)
    return lab.backend.build(order, lab.events.append, kept.append), kept


def files(lab: Lab, image_id: str) -> dict[str, str]:
    found = {}
    for path in ("/one", "/two", "/three/four"):
        try:
            found[path] = lab.read(image_id, path)
        except FileNotFoundError:
            continue
    return found


def test_every_step_but_the_last_leaves_a_checkpoint(lab: Lab) -> None:
    assert lab.base
    result, kept = build(lab, *STEPS)
    assert [(state.key, state.done) for state in kept] == [("files-1", 1), ("files-2", 2), ("files-3", 3)]
    assert files(lab, kept[0].image_id) == {"/one": "1"}
    assert files(lab, kept[2].image_id) == {"/one": "1", "/two": "2"}
    assert files(lab, result.image_id) == {"/one": "1", "/two": "2", "/three/four": "4"}
    # Each stands on the one before.
    chain = [lab.base.diff_ids, *(state.diff_ids for state in kept), result.diff_ids]
    assert all(above[:-1] == below for below, above in pairwise(chain))
    assert result.layer_count == len(result.diff_ids) == len(lab.base.diff_ids) + 4
    assert all(0 < state.size <= result.size for state in kept)


@pytest.mark.parametrize("mode", ["none", "auto"])
def test_quick_steps_leave_none_unless_asked(lab: Lab, mode: str) -> None:
    layering = Layering(mode, KEYS, price=60.0)
    kept: list[KeptFiles] = []
    lab.backend.build(lab.order("quick", *STEPS, layering=layering), lab.events.append, kept.append)
    assert kept == []


def test_what_took_long_is_kept_before_what_follows_may_fail(lab: Lab) -> None:
    kept: list[KeptFiles] = []
    steps = (STEPS[0], run("/bin/sleep", "0.6"), run("/bin/fail", "3"))
    order = lab.order("long", *steps, layering=Layering("auto", KEYS[:3], price=0.05))
    with pytest.raises(StageError):
        lab.backend.build(order, lab.events.append, kept.append)
    assert kept[-1].done == 2
    assert files(lab, kept[-1].image_id) == {"/one": "1"}


def test_where_a_build_is_likely_to_begin_a_checkpoint_is_made(lab: Lab) -> None:
    steps = (run("/bin/sleep", "1"), STEPS[0], STEPS[1])
    _, kept = build(lab, *steps, mode="auto", price=1.0, likely=(2,))
    assert [state.done for state in kept] == [2]


def test_a_build_goes_on_from_a_checkpoint(lab: Lab) -> None:
    _, kept = build(lab, *STEPS)
    lab.events.clear()
    other = run("/bin/write", "/three/four", "other")
    result, again = build(lab, *STEPS[:3], other, start=Start(kept[1].image_id, 2))
    assert files(lab, result.image_id) == {"/one": "1", "/two": "2", "/three/four": "other"}
    assert lab.events[:2] == [InstructionFinished("stage", index, 0.0, cached=True) for index in (1, 2)]
    started = [event.index for event in lab.events if isinstance(event, InstructionStarted)]
    assert started == [3, 4]
    assert [state.done for state in again] == [3]
    assert result.seconds[:2] == (0.0, 0.0)
    assert len(result.seconds) == 4


def test_only_what_was_copied_now_is_told(lab: Lab) -> None:
    lab.put("a", "1")
    lab.put("b", "2")
    steps = (lab.copy("a", dest="/one"), lab.copy("b", dest="/two"))
    whole, kept = build(lab, *steps)
    assert [len(state.copied) for state in kept] == [1]
    assert kept[0].copied == whole.copied[:1]
    rest, _ = build(lab, *steps, start=Start(kept[0].image_id, 1))
    assert rest.copied == whole.copied[1:]
    assert files(lab, rest.image_id) == {"/one": "1", "/two": "2"}


def test_a_result_serves_as_a_checkpoint_and_leaves_none_of_its_configuration(lab: Lab) -> None:
    lab.put("f")
    worn = replace(
        BASE_CONFIG,
        env=(("PATH", "/bin"), ("OLD", "x")),
        labels=(("old", "1"),),
        workdir="/two",
        user="web",
        cmd=("old",),
        entrypoint=("/bin/sh",),
        ports=("80/tcp",),
        volumes=("/data",),
        stop_signal="SIGINT",
        author="old",
    )
    first, _ = build(lab, STEPS[0], config=worn)
    say = run("/bin/sh", "-c", "echo -n ${OLD-unset} > /two") if lab.backend.name == "buildah" else STEPS[1]
    result, _ = build(lab, STEPS[0], say, start=Start(first.image_id, 1))
    assert lab.config(result.image_id) == BASE_CONFIG
    assert files(lab, result.image_id)["/two"] == ("unset" if lab.backend.name == "buildah" else "2")
    only, kept = build(lab, STEPS[0], config=replace(BASE_CONFIG, cmd=("new",)), start=Start(first.image_id, 1))
    assert lab.config(only.image_id) == replace(BASE_CONFIG, cmd=("new",))
    assert kept == []


def test_volumes_of_the_base_outlive_a_checkpoint(lab: Lab) -> None:
    config = replace(BASE_CONFIG, volumes=("/data",))
    base = lab.build("volumes", FolderStep("/data"), config=config)
    found = lab.backend.resolve("localhost/lab/volumes:1", lab.order("x").platform, "never")
    assert found.image_id == base.image_id
    result, _ = build(lab, run("/bin/write", "/data/x", "1"), *STEPS[:2], base=found, config=config)
    assert lab.config(result.image_id) == config
    assert lab.read(result.image_id, "/data/x") == "1"


def test_a_checkpoint_that_is_gone_is_told_apart(lab: Lab) -> None:
    _, kept = build(lab, *STEPS[:2])
    lab.backend.remove([kept[0].image_id])
    with pytest.raises(ImageGoneError):
        build(lab, *STEPS[:2], start=Start(kept[0].image_id, 1))


def test_what_is_kept_is_swept_unless_it_is_recorded(lab: Lab) -> None:
    result, kept = build(lab, *STEPS[:3])
    lab.backend.sweep({result.image_id, kept[1].image_id}, ())
    images = lab.backend.images()
    assert kept[1].image_id in images
    assert kept[0].image_id not in images
    assert files(lab, kept[1].image_id) == {"/one": "1", "/two": "2"}
