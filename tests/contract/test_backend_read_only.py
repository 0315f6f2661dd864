"""Results that others only read: whatever a backend keeps of them, they can be read, built upon, and become images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.lab import BASE_CONFIG, run

from zbuild.backend.protocol import BaseImage, Layering, Start
from zbuild.base.errors import ImageGoneError
from zbuild.model.steps import Selection

if TYPE_CHECKING:
    from support.lab import Lab

    from zbuild.backend.protocol import KeptFiles, StageResult


def above(result: StageResult) -> BaseImage:
    return BaseImage(result.image_id, result.digest, BASE_CONFIG, result.diff_ids)


def made(lab: Lab) -> StageResult:
    return lab.build("builder", run("/bin/write", "/made", "by the builder"), names=(), read_only=True)


def test_its_files_are_digested_and_copied_like_an_images(lab: Lab) -> None:
    wanted = Selection(("made",))
    builder = lab.build("builder", run("/bin/write", "/made", "x"), names=(), read_only=True, exports=(wanted,))
    image = lab.build("image", run("/bin/write", "/made", "x"))
    assert lab.backend.tree_digest(builder.image_id, [wanted]) == lab.backend.tree_digest(image.image_id, [wanted])
    assert dict(builder.exports)[wanted] == lab.backend.tree_digest(image.image_id, [wanted])[0]
    assert lab.backend.layers_digest(builder.image_id, 1) == lab.backend.layers_digest(image.image_id, 1)
    step = lab.copy_from("builder", "made", dest="/copied")
    copied = lab.build("final", step, images={"builder": builder.image_id})
    assert lab.read(copied.image_id, "/copied") == "x"


def test_it_is_told_among_the_images_until_it_is_removed(lab: Lab) -> None:
    builder = made(lab)
    assert builder.image_id in lab.backend.images()
    assert builder.image_id in lab.backend.usage()
    assert builder.size >= len("by the builder")
    lab.backend.remove([builder.image_id])
    assert builder.image_id not in lab.backend.images()
    with pytest.raises(ImageGoneError):
        lab.backend.tree_digest(builder.image_id, [Selection(("made",))])
    with pytest.raises(ImageGoneError):
        lab.build("final", lab.copy_from("builder", "made", dest="/"), images={"builder": builder.image_id})


def test_another_is_built_upon_it(lab: Lab) -> None:
    builder = made(lab)
    child = lab.build("child", run("/bin/write", "/more", "1"), names=(), read_only=True, base=above(builder))
    assert child.diff_ids[: len(builder.diff_ids)] == builder.diff_ids
    assert child.layer_count == builder.layer_count + 1
    assert lab.read(child.image_id, "/made") == "by the builder"
    grandchild = lab.build("image", run("/bin/write", "/made", "anew"), base=above(child))
    assert lab.backend.is_image(grandchild.image_id)
    assert (lab.read(grandchild.image_id, "/made"), lab.read(grandchild.image_id, "/more")) == ("anew", "1")
    assert lab.read(child.image_id, "/made") == "by the builder"
    assert len(grandchild.diff_ids) == child.layer_count + 1


def test_it_becomes_an_image_without_its_steps(lab: Lab) -> None:
    builder = made(lab)
    fails = run("/bin/fail", "3")
    image = lab.build("image", fails, start=Start(builder.image_id, 1), config=BASE_CONFIG)
    assert lab.backend.is_image(image.image_id)
    assert lab.backend.images()[image.image_id] == ("localhost/lab/image:1",)
    assert lab.read(image.image_id, "/made") == "by the builder"
    assert lab.config(image.image_id).cmd == BASE_CONFIG.cmd


def test_what_another_stands_on_is_not_removed_before_it(lab: Lab) -> None:
    lower = lab.build("lower", run("/bin/write", "/low", "1"), names=())
    builder = lab.build("builder", run("/bin/write", "/made", "by the builder"), read_only=True, base=above(lower))
    child = lab.build("child", run("/bin/write", "/more", "1"), names=(), read_only=True, base=above(builder))
    lab.backend.remove([builder.image_id, lower.image_id])
    assert child.image_id in lab.backend.images()
    assert lab.read(child.image_id, "/made") == "by the builder"
    lab.backend.remove([child.image_id])
    lab.backend.sweep((), [])
    assert not {child.image_id, builder.image_id}.intersection(lab.backend.images())


def test_its_checkpoints_are_begun_at_like_images(lab: Lab) -> None:
    kept: list[KeptFiles] = []
    steps = (run("/bin/write", "/one", "1"), run("/bin/write", "/two", "2"))
    layering = Layering("all", ("files-1", "files-2"), price=1.0)
    order = lab.order("builder", *steps, names=(), read_only=True, layering=layering)
    result = lab.backend.build(order, lab.events.append, kept.append)
    assert [state.done for state in kept] == [1]
    again = lab.build(
        "again", run("/bin/fail", "3"), steps[1], names=(), read_only=True, start=Start(kept[0].image_id, 1)
    )
    for image_id in (result.image_id, again.image_id):
        assert (lab.read(image_id, "/one"), lab.read(image_id, "/two")) == ("1", "2")


def test_a_sweep_keeps_what_is_to_be_kept_and_what_is_below_it(lab: Lab) -> None:
    builder, other = made(lab), lab.build("other", run("/bin/write", "/other", "1"), names=(), read_only=True)
    child = lab.build("child", run("/bin/write", "/more", "1"), names=(), read_only=True, base=above(builder))
    keep = {child.image_id} if not lab.backend.is_image(child.image_id) else {child.image_id, builder.image_id}
    assert lab.backend.sweep(keep, []) != ()
    assert lab.read(child.image_id, "/made") == "by the builder"
    assert other.image_id not in lab.backend.images()
