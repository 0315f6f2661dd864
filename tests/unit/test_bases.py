"""Which image a reference means: by the lock, the store, the notes and the registry; each policy, and no network."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from zbuild.backend.protocol import BaseImage, Capabilities
from zbuild.base.errors import RegistryError, UsageError
from zbuild.base.platform import Platform
from zbuild.fetch.bases import Bases
from zbuild.fetch.meanings import TRUSTED_SECONDS, Meanings
from zbuild.fetch.store import FetchedStore
from zbuild.model.image_config import ImageConfig
from zbuild.model.lock import LockedBase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zbuild.backend.protocol import PullPolicy
    from zbuild.base.errors import ZbuildError
    from zbuild.fetch.meanings import Pace

AMD = Platform("linux", "amd64")
NAME = "reg.example/x:1"
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@dataclass
class Store:
    """Images by every name and digest they can be found under; `pulled` is what came from a registry.

    `names` are what each image is called, by its id.
    """

    found: dict[str, BaseImage] = field(default_factory=dict)
    pulled: list[str] = field(default_factory=list)
    pulls: bool = True
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def put(self, name: str, digest: str) -> None:
        image = BaseImage(f"id of {digest}", digest, ImageConfig(env=(("STORE", digest[7]),)))
        self.found[name] = self.found[f"{name.rpartition(':')[0]}@{digest}"] = image
        self.names[image.image_id] = (name,)

    def capabilities(self) -> Capabilities:
        return Capabilities(("linux",), run=True, pulls=self.pulls)

    def resolve(self, reference: str, platform: Platform, pull: str) -> BaseImage:
        if reference in self.found and pull != "always":
            return self.found[reference]
        if pull == "never" or platform != AMD:
            raise RegistryError("image-missing", f"no {reference}")
        self.pulled.append(reference)
        self.put(reference if ":1" in reference else f"{reference.partition('@')[0]}:pulled", reference[-71:])
        self.names[f"id of {reference[-71:]}"] = (reference,)
        return self.found[reference]

    def images(self) -> Mapping[str, tuple[str, ...]]:
        return self.names

    def tag(self, image_id: str, names: Sequence[str]) -> None:
        others = {one: tuple(name for name in had if name not in names) for one, had in self.names.items()}
        self.names = others | {image_id: (*others[image_id], *names)}
        image = next(image for image in self.found.values() if image.image_id == image_id)
        self.found.update(dict.fromkeys(names, image))


@dataclass
class Registry:
    """What references mean there; `asked` are the requests, `error` is what each ends in."""

    digests: dict[str, str] = field(default_factory=lambda: {NAME: ONE})
    asked: list[str] = field(default_factory=list)
    error: ZbuildError | None = None

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.error is not None:
            raise self.error

    def head(self, reference: str) -> str:
        self._ask(f"head {reference}")
        return self.digests[reference]

    def manifest(self, reference: str, digest: str, platform: Platform) -> tuple[str, str]:
        self._ask(f"manifest {reference} {platform}")
        return digest, f"config of {digest}"

    def config(self, reference: str, digest: str) -> bytes:
        self._ask(f"config {reference}")
        return json.dumps({"config": {"Env": [f"FAR={digest[-1]}"]}, "rootfs": {"diff_ids": ["sha256:l"]}}).encode()


@dataclass
class World:
    """A machine, as it is from run to run; `now` is its clock."""

    folder: Path
    store: Store = field(default_factory=Store)
    registry: Registry = field(default_factory=Registry)
    locked: dict[tuple[str, str], LockedBase] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    paces: list[Pace] = field(default_factory=list)
    now: float = 1_000_000.0

    def run(self, *, only_look: bool = False) -> Bases:
        """Return what answers in the next run; what was asked and told before is forgotten."""
        self.told.clear()
        self.registry.asked.clear()
        meanings = Meanings(FetchedStore(self.folder), self._client)
        say = self.told.append
        return Bases(self.store, meanings, self.locked, say, say, lambda: None, only_look=only_look)

    def _client(self, pace: Pace) -> Registry:
        self.paces.append(pace)
        return self.registry

    def lock(self, digest: str) -> None:
        self.locked[NAME, str(AMD)] = LockedBase(NAME, str(AMD), digest)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "fetched")
    monkeypatch.setattr("time.time", lambda: made.now)
    monkeypatch.setattr("zbuild.fetch.bases.host_platform", lambda: AMD)
    return made


def test_an_image_that_is_not_here_is_known_before_it_is_pulled(world: World) -> None:
    bases = world.run()
    found = bases.find(NAME, AMD, "newer")
    assert (found.image_id, found.digest, found.diff_ids) == ("", ONE, ("sha256:l",))
    assert found.config.env == (("FAR", "1"),)
    assert world.registry.asked == [f"head {NAME}", f"manifest {NAME} linux/amd64", f"config {NAME}"]
    assert world.store.pulled == []
    for _ in range(2):
        assert bases.pulled(NAME, AMD, found).image_id == f"id of {ONE}"
    assert world.store.pulled == [f"reg.example/x@{ONE}"]
    assert world.told == [f"pulling {NAME}"]


def test_newer_asks_once_an_hour(world: World) -> None:
    world.store.put(NAME, ONE)
    bases = world.run()
    assert bases.find(NAME, AMD, "newer").image_id == f"id of {ONE}"
    assert bases.fresh_until == world.now + TRUSTED_SECONDS
    world.registry.digests[NAME] = TWO
    world.now += TRUSTED_SECONDS
    assert world.run().find(NAME, AMD, "newer").digest == ONE
    assert world.registry.asked == []
    world.now += 1
    assert world.run().find(NAME, AMD, "newer").digest == TWO
    assert world.registry.asked[0] == f"head {NAME}"


def test_what_has_not_moved_costs_one_request(world: World) -> None:
    world.run().find(NAME, AMD, "newer")
    assert world.run().find(NAME, AMD, "always").digest == ONE
    assert world.registry.asked == [f"head {NAME}"]


def test_always_asks_each_time_and_leaves_no_stamp(world: World) -> None:
    world.store.put(NAME, ONE)
    for _ in range(2):
        bases = world.run()
        bases.find(NAME, AMD, "always")
        assert heads(world) == 1
        assert bases.fresh_until == 0


def heads(world: World) -> int:
    return sum(one.startswith("head") for one in world.registry.asked)


def test_missing_asks_for_what_is_not_here_alone(world: World) -> None:
    assert world.run().find(NAME, AMD, "missing").digest == ONE
    assert heads(world) == 1
    world.store.put(NAME, TWO)
    bases = world.run()
    assert bases.find(NAME, AMD, "missing").digest == TWO
    assert (world.registry.asked, bases.fresh_until) == ([], float("inf"))


def test_never_asks_nobody(world: World) -> None:
    with pytest.raises(RegistryError, match=f"no {NAME}"):
        world.run().find(NAME, AMD, "never")
    world.store.put(NAME, TWO)
    assert world.run().find(NAME, AMD, "never").digest == TWO
    assert world.registry.asked == []


def test_policies_agree_on_what_is_here(world: World) -> None:
    """After a build took what the registry has, others see the same image, though the name is another one's."""
    world.store.put(NAME, TWO)
    bases = world.run()
    bases.pulled(NAME, AMD, bases.find(NAME, AMD, "newer"))
    policies: tuple[PullPolicy, ...] = ("newer", "missing", "never")
    assert {world.run().find(NAME, AMD, policy).digest for policy in policies} == {ONE}
    assert world.store.found[NAME].digest == TWO, "what a user called so keeps its name"


def test_what_was_pulled_bears_the_name_it_was_pulled_for_wherever_that_moves(world: World) -> None:
    for digest in (ONE, TWO):
        world.registry.digests[NAME] = digest
        bases = world.run()
        bases.pulled(NAME, AMD, bases.find(NAME, AMD, "always"))
        assert world.store.found[NAME].digest == digest
    assert world.store.names == {
        f"id of {ONE}": (f"reg.example/x@{ONE}",),
        f"id of {TWO}": (f"reg.example/x@{TWO}", NAME),
    }


def test_what_a_lock_says_bears_no_name(world: World) -> None:
    world.lock(TWO)
    bases = world.run()
    bases.pulled(NAME, AMD, bases.find(NAME, AMD, "newer"))
    assert world.store.names == {f"id of {TWO}": (f"reg.example/x@{TWO}",)}


def test_a_name_that_became_another_image_s_is_asked_for_again(world: World) -> None:
    world.store.put(NAME, ONE)
    world.run().find(NAME, AMD, "newer")
    world.store.put(NAME, TWO)
    assert world.run().find(NAME, AMD, "never").digest == TWO
    assert world.run().find(NAME, AMD, "newer").digest == ONE
    assert heads(world) == 1
    assert world.run().find(NAME, AMD, "newer").digest == ONE
    assert heads(world) == 0


def test_a_name_that_stays_another_image_s_is_asked_for_no_more_often(world: World) -> None:
    world.store.put(NAME, TWO)
    for _ in range(3):
        bases = world.run()
        bases.pulled(NAME, AMD, bases.find(NAME, AMD, "newer"))
        assert heads(world) == 1
        assert world.run().find(NAME, AMD, "newer").digest == ONE
        assert heads(world) == 0
        world.now += 2 * TRUSTED_SECONDS


def test_platforms_share_what_a_registry_says_of_a_reference(world: World) -> None:
    bases = world.run()
    bases.prepare([(NAME, AMD, "newer"), (NAME, Platform("linux", "arm64"), "newer")])
    assert world.registry.asked.count(f"head {NAME}") == 1
    assert {one for one in world.registry.asked if one.startswith("manifest")} == {
        f"manifest {NAME} linux/amd64",
        f"manifest {NAME} linux/arm64",
    }


def test_a_clock_that_was_set_back_trusts_nothing(world: World) -> None:
    world.run().find(NAME, AMD, "newer")
    world.now -= 10
    world.run().find(NAME, AMD, "newer")
    assert heads(world) == 1


def away() -> RegistryError:
    return RegistryError("registry-unreachable", "reg.example does not answer")


def test_without_network_what_is_here_is_used_with_one_warning(world: World) -> None:
    names = [NAME, "reg.example/y:1", "reg.example/z:1"]
    for name in names:
        world.store.put(name, TWO)
    world.registry.error = away()
    bases = world.run()
    bases.prepare([(name, AMD, "newer") for name in names])
    assert [bases.find(name, AMD, "newer").digest for name in names] == [TWO, TWO, TWO]
    assert world.told == ["reg.example does not answer; the images that are here are used"]
    assert world.now < bases.fresh_until <= world.now + 60


def test_always_does_not_get_by_with_what_is_here(world: World) -> None:
    world.store.put(NAME, ONE)
    world.registry.error = RegistryError("registry-denied", "who are you?")
    with pytest.raises(RegistryError, match="who are you"):
        world.run().find(NAME, AMD, "always")
    assert world.run().find(NAME, AMD, "newer").digest == ONE


@pytest.mark.parametrize("code", ["registry-unreachable", "registry-unknown", "registry-silent"])
def test_a_registry_that_is_away_is_not_asked_for_the_rest(world: World, code: str) -> None:
    world.store.put(NAME, ONE)
    world.store.put("reg.example/y:1", TWO)
    world.registry.error = RegistryError(code, "reg.example does not answer")
    bases = world.run()
    bases.find(NAME, AMD, "newer")
    bases.find("reg.example/y:1", AMD, "newer")
    assert heads(world) == 1


def test_without_network_what_was_asked_for_before_the_hour_is_used(world: World) -> None:
    bases = world.run()
    bases.pulled(NAME, AMD, bases.find(NAME, AMD, "newer"))
    world.now += 2 * TRUSTED_SECONDS
    world.registry.error = away()
    assert world.run().find(NAME, AMD, "newer").image_id == f"id of {ONE}"


def test_where_nobody_answers_the_backend_may_know_a_mirror(world: World) -> None:
    world.registry.error = away()
    assert world.run().find(NAME, AMD, "newer").image_id
    assert world.store.pulled == [NAME]


def test_a_refusal_is_an_error_where_nothing_is_here(world: World) -> None:
    world.registry.error = RegistryError("registry-denied", "who are you?")
    bases = world.run()
    for _ in range(2):
        with pytest.raises(RegistryError, match="who are you"):
            bases.find(NAME, AMD, "newer")
    assert heads(world) == 1
    assert world.store.pulled == []


@pytest.mark.parametrize("at_hand", [False, True])
def test_a_registry_in_trouble_is_waited_for_where_nothing_is_at_hand(world: World, *, at_hand: bool) -> None:
    if at_hand:
        world.store.put(NAME, ONE)
    world.registry.error = RegistryError("registry-busy", "too many requests")
    bases = world.run()
    try:
        assert bases.find(NAME, AMD, "newer").digest == ONE
    except RegistryError:
        assert not at_hand
    assert world.paces == (["hurried"] if at_hand else ["hurried", "patient"])


def test_who_only_looks_gets_by_without(world: World) -> None:
    world.registry.error = away()
    assert world.run(only_look=True).find(NAME, AMD, "newer") == BaseImage("", "", ImageConfig())
    world.lock(TWO)
    assert world.run(only_look=True).find(NAME, AMD, "newer") == BaseImage("", TWO, ImageConfig())
    assert world.store.pulled == []


@pytest.mark.parametrize("policy", ["newer", "missing", "always"])
def test_the_lock_goes_before_the_registry(world: World, policy: PullPolicy) -> None:
    world.store.put(NAME, ONE)
    world.lock(TWO)
    bases = world.run()
    found = bases.find(NAME, AMD, policy)
    assert (found.image_id, found.digest) == ("", TWO)
    assert heads(world) == 0
    assert bases.pulled(NAME, AMD, found).digest == TWO
    bases = world.run()
    assert bases.find(NAME, AMD, policy).image_id == f"id of {TWO}"
    assert (world.registry.asked, bases.fresh_until) == ([], float("inf"))


def test_a_locked_base_that_may_not_be_pulled_must_be_here(world: World) -> None:
    world.store.put(NAME, ONE)
    world.lock(TWO)
    with pytest.raises(RegistryError, match=TWO):
        world.run().find(NAME, AMD, "never")


def test_a_reference_by_digest_is_asked_for_until_it_is_known(world: World) -> None:
    exact = f"reg.example/x@{ONE}"
    world.registry.digests[exact] = ONE
    assert world.run().find(exact, AMD, "newer").digest == ONE
    assert heads(world) == 1
    world.now += 10 * TRUSTED_SECONDS
    bases = world.run()
    assert bases.find(exact, AMD, "always").digest == ONE
    assert (world.registry.asked, bases.fresh_until) == ([], float("inf"))


def test_a_reference_by_digest_that_is_here_is_never_asked_for(world: World) -> None:
    world.store.put(NAME, ONE)
    bases = world.run()
    assert bases.find(f"reg.example/x@{ONE}", AMD, "always").digest == ONE
    assert (world.registry.asked, bases.fresh_until) == ([], float("inf"))


def test_settings_that_forbid_to_ask_are_no_reason_to_fail(world: World) -> None:
    world.store.put(NAME, ONE)
    world.registry.error = UsageError("registry-blocked", "registries.conf blocks reg.example")
    assert world.run().find(NAME, AMD, "newer").digest == ONE
    assert world.told == ["registries.conf blocks reg.example; the images that are here are used"]


def test_names_of_the_store_alone_are_never_asked_for(world: World) -> None:
    with pytest.raises(RegistryError):
        world.run().find("localhost/x:1", AMD, "always")
    world.store.pulls = False
    with pytest.raises(RegistryError):
        world.run().find(NAME, AMD, "always")
    assert world.registry.asked == []


def test_many_bases_are_asked_for_once_each(world: World) -> None:
    names = [f"reg.example/{number}:1" for number in range(20)]
    world.registry.digests = dict.fromkeys(names, ONE)
    bases = world.run()
    wanted: list[tuple[str, Platform, PullPolicy]] = [(name, AMD, "newer") for name in names * 3]
    bases.prepare(wanted)
    assert {bases.find(*one).digest for one in wanted} == {ONE}
    assert heads(world) == len(names)


def test_after_something_left_the_store_it_is_looked_into_again(world: World) -> None:
    world.store.put(NAME, ONE)
    bases = world.run()
    assert bases.find(NAME, AMD, "newer").image_id
    world.store.found.clear()
    bases.forget()
    assert bases.find(NAME, AMD, "newer").image_id == ""
    assert heads(world) == 1
