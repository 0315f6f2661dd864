"""What every backend does with its images: names, listings, removal, and what dead runs have left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from zbuild.backend.protocol import PushOrder, Unfinished
from zbuild.base.errors import ImageGoneError, RegistryError
from zbuild.base.platform import host_platform, parse_platform

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.lab import Lab

    from zbuild.backend.protocol import Backend


@pytest.mark.parametrize(
    "reference", ["localhost/lab/known:1", "lab/known:1", "localhost/lab/known:latest", "lab/known"]
)
def test_resolve_by_name(lab: Lab, reference: str) -> None:
    result = lab.build("known", names=("localhost/lab/known:1", "localhost/lab/known:latest"))
    found = lab.backend.resolve(reference, host_platform(), "missing")
    assert (found.image_id, found.digest, found.diff_ids) == (result.image_id, result.digest, result.diff_ids)


def test_resolve_what_is_not_there(lab: Lab) -> None:
    with pytest.raises(RegistryError):
        lab.backend.resolve("localhost/lab/unknown:1", host_platform(), "never")


def test_resolve_another_platform(lab: Lab) -> None:
    lab.build("known")
    with pytest.raises(RegistryError):
        lab.backend.resolve("localhost/lab/known:1", parse_platform("linux/s390x"), "never")


def test_resolve_what_is_no_reference(lab: Lab) -> None:
    with pytest.raises(RegistryError) as raised:
        lab.backend.resolve("Not A Name", host_platform(), "never")
    assert raised.value.code == "bad-reference"


def test_all_names_are_given(lab: Lab) -> None:
    names = ("localhost/lab/n:1", "localhost/lab/n:2", "registry.example/n:3")
    result = lab.build("n", names=names)
    assert sorted(lab.backend.images()[result.image_id]) == sorted(names)


def test_name_moves_to_the_newer_image(lab: Lab) -> None:
    name = "localhost/lab/moves:1"
    older = lab.build("older", names=(name,))
    newer = lab.build("newer", names=(name,))
    assert lab.backend.images()[older.image_id] == ()
    assert lab.backend.images()[newer.image_id] == (name,)
    lab.backend.tag(older.image_id, [name])
    assert lab.backend.images()[newer.image_id] == ()


def test_tag_of_what_is_not_there(lab: Lab) -> None:
    with pytest.raises(ImageGoneError):
        lab.backend.tag("f" * 64, ["localhost/lab/x:1"])


def test_stamp_changes_with_every_change_and_no_other(lab: Lab) -> None:
    stamps = [lab.backend.store_stamp()]
    result = lab.build("stamped")
    stamps.append(lab.backend.store_stamp())
    lab.backend.tag(result.image_id, ["localhost/lab/more:1"])
    stamps.append(lab.backend.store_stamp())
    lab.backend.remove([result.image_id])
    stamps.append(lab.backend.store_stamp())
    assert len(set(stamps)) == 4
    lab.backend.images()
    assert lab.backend.store_stamp() == stamps[-1]


def test_remove_takes_all_names_and_forgives(lab: Lab) -> None:
    result = lab.build("r", names=("localhost/lab/r:1", "localhost/lab/r:2"))
    lab.backend.remove([result.image_id, "0" * 64])
    lab.backend.remove([result.image_id])
    assert result.image_id not in lab.backend.images()


def test_sweep_takes_own_images_that_are_not_kept(lab: Lab, new_backend: Callable[[], Backend]) -> None:
    kept = lab.build("kept", names=())
    left = lab.build("left", names=())
    named = lab.build("named", names=())
    lab.backend.tag(named.image_id, ["localhost/lab/given:1"])
    users = lab.build("users")
    removed = new_backend().sweep({kept.image_id}, ())
    images = lab.backend.images()
    assert left.image_id not in images
    assert {kept.image_id, named.image_id, users.image_id} <= set(images)
    assert len(removed) == 1
    assert new_backend().sweep({kept.image_id}, ()) == ()


def test_sweep_takes_what_was_never_recorded(lab: Lab) -> None:
    before = lab.build("before", names=("localhost/lab/u:before",))
    time.sleep(0.01)
    order = Unfinished(("localhost/lab/u:1", "localhost/lab/u:before"), time.time())
    unfinished = lab.build("u", names=("localhost/lab/u:1",))
    recorded = lab.build("v", names=("localhost/lab/v:1",))
    lab.backend.sweep({recorded.image_id}, [order, Unfinished(("localhost/lab/v:1",), 0.0)])
    images = lab.backend.images()
    assert unfinished.image_id not in images
    assert {before.image_id, recorded.image_id} <= set(images)


def test_capabilities(lab: Lab) -> None:
    found = lab.backend.capabilities()
    assert found.run
    assert found.systems == ("linux",)
    assert "host" in found.networks


@pytest.mark.parametrize("tags_last", [False, True])
def test_push_tells_each_order_and_its_digest(lab: Lab, registry: str, *, tags_last: bool) -> None:
    one, two = lab.build("push-one"), lab.build("push-two")
    orders = [
        PushOrder(one.image_id, f"{registry}/lab/one:1"),
        PushOrder(one.image_id, f"{registry}/lab/one:2"),
        PushOrder(two.image_id, f"{registry}/lab/two:1"),
    ]
    told: list[tuple[PushOrder, str]] = []
    lab.backend.push(orders, lambda order, digest: told.append((order, digest)), tags_last=tags_last)
    assert [order for order, _ in told] == orders
    assert all(digest.startswith("sha256:") for _, digest in told)
    assert told[0][1] == told[1][1]


def test_push_of_what_is_not_there_pushes_nothing(lab: Lab, registry: str) -> None:
    result = lab.build("push-here")
    told: list[PushOrder] = []
    orders = [PushOrder(result.image_id, f"{registry}/lab/here:1"), PushOrder("f" * 64, f"{registry}/lab/gone:1")]
    with pytest.raises(ImageGoneError):
        lab.backend.push(orders, lambda order, _: told.append(order))
    assert told == []


def test_usage_tells_given_names_alone_and_what_removal_frees(lab: Lab) -> None:
    lab.put("big", "x" * 100_000)
    lab.put("other")
    own = lab.build("own", lab.copy("big", dest="/big"), names=())
    named = lab.build("named", lab.copy("other", dest="/other"), names=("localhost/lab/named:1",))
    usage = lab.backend.usage()
    assert set(usage) == set(lab.backend.images())
    assert usage[own.image_id].given_names == ()
    assert usage[named.image_id].given_names == ("localhost/lab/named:1",)
    assert not usage[own.image_id].in_use
    others = {layer for image, use in usage.items() if image != own.image_id for layer in use.layers}
    alone = {layer: size for layer, size in usage[own.image_id].layers.items() if layer not in others}
    assert sum(alone.values()) >= 100_000
    lab.backend.remove([own.image_id])
    left = {layer for use in lab.backend.usage().values() for layer in use.layers}
    assert left == others


def test_a_list_is_made_once_named_and_removed_without_what_is_in_it(lab: Lab) -> None:
    members = [lab.build(f"member{n}", names=(f"localhost/lab/member{n}:1",)).image_id for n in (1, 2)]
    made = lab.backend.make_list(members)
    assert lab.backend.make_list(members) == made
    assert lab.backend.make_list(members[:1]) != made
    name = "localhost/lab/list:1"
    lab.backend.tag(made.image_id, [name])
    assert name in lab.backend.images()[made.image_id]
    assert lab.backend.make_list(members) == made
    assert name in lab.backend.usage()[members[0]].given_names
    lab.backend.remove([made.image_id])
    assert made.image_id not in lab.backend.images()
    assert set(members) <= set(lab.backend.images())


def test_a_list_that_nobody_named_is_swept(lab: Lab) -> None:
    members = [lab.build(f"swept{n}").image_id for n in (1, 2)]
    made = lab.backend.make_list(members)
    lab.backend.sweep(members, ())
    assert made.image_id not in lab.backend.images()
    assert set(members) <= set(lab.backend.images())


def test_programs_of_this_machine_can_run(lab: Lab) -> None:
    assert lab.backend.cannot_run(host_platform()) == ""
