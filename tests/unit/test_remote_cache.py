"""Results shared between machines through a folder; machines are workspaces with stores of their own."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from support.machines import FILE, Machine

from zbuild.api.cache import PruneChoices
from zbuild.api.remote_prune import prune_remote
from zbuild.api.workspace import Workspace
from zbuild.base.errors import BackendError, BuildFailedError, BuildFileError, StateError, UsageError


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def one(tmp_path: Path, cache: Path) -> Machine:
    return Machine(tmp_path / "one", str(cache))


@pytest.fixture
def two(tmp_path: Path, cache: Path) -> Machine:
    return Machine(tmp_path / "another-place", str(cache))


def test_another_machine_runs_nothing(one: Machine, two: Machine) -> None:
    assert set(one.build().values()) == {"run"}
    actions = two.build()
    assert "run" not in actions.values()
    assert (actions["app/on-it"], actions["other/0"]) == ("pulled", "pulled")
    assert (two.image("t/app:1") / "out").read_text() == "built"


def test_what_is_pulled_is_cached_from_then_on(one: Machine, two: Machine) -> None:
    one.build()
    two.build()
    assert set(two.build().values()) == {"cached"}
    assert two.warnings == []


def test_plan_tells_the_place_and_pulls_nothing(one: Machine, two: Machine, cache: Path) -> None:
    one.build()
    plan = two.plan()
    assert plan["app/on-it"] == ("pulled", f"from {cache}")
    assert plan["app/builder"][0] == "cached"
    assert not (two.root / ".zbuild/fake").exists()


def test_only_what_changed_runs_on_what_was_pulled(one: Machine, two: Machine) -> None:
    one.build()
    two.write("zbuild.yaml", FILE.replace("/three, three", "/three, 3"))
    assert two.build("app") == {"app/builder": "cached", "app/final": "pulled", "app/on-it": "run"}
    assert (two.image("t/app:1") / "three").read_text() == "3"


def test_a_result_is_found_by_what_its_inputs_come_to(one: Machine, two: Machine) -> None:
    """The builder runs, comes out equal, and the rest is pulled: early cutoff between machines."""
    one.build()
    two.write("source.txt", "2")
    actions = two.build("app")
    assert actions["app/builder"] == "run"
    assert (actions["app/final"], actions["app/on-it"]) == ("pulled", "pulled")


def test_layers_are_fetched_only_when_they_are_needed(one: Machine, two: Machine, cache: Path) -> None:
    one.build("app")
    for layer in _layers_of(cache, "app/builder"):
        (cache / "layers" / layer[:2] / f"{layer}.tar.zst").unlink()
    assert "run" not in two.build("app").values()
    assert two.warnings == []


def _records(cache: Path) -> list[Path]:
    return sorted(cache.glob("records/*/*.json"))


def _age(cache: Path) -> None:
    for path in cache.glob("*/*/*"):
        os.utime(path, (0, 0))


def _layers_of(cache: Path, stage: str) -> list[str]:
    documents = [json.loads(path.read_bytes().partition(b"\n")[2]) for path in _records(cache)]
    found = next(document for document in documents if document["stage"] == stage)
    return [diff_id.removeprefix("sha256:") for diff_id, _ in found["layers"]]


def _damage(paths: list[Path]) -> None:
    for path in paths:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


def _cut(paths: list[Path]) -> None:
    for path in paths:
        path.write_bytes(path.read_bytes()[:-20])


def _swap(paths: list[Path]) -> None:
    """Let each hold what is whole and valid, but another's."""
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, [*contents[1:], contents[0]], strict=True):
        path.write_bytes(content)


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink()


def _empty(paths: list[Path]) -> None:
    for path in paths:
        path.write_bytes(b"")


@pytest.mark.parametrize("harm", [_damage, _cut, _swap, _remove, _empty])
def test_harm_done_to_layers_is_seen_and_made_good(one: Machine, two: Machine, cache: Path, harm: Any) -> None:
    one.build("app")
    harm(sorted(cache.glob("layers/*/*")))
    assert "pulled" not in two.build("app").values()
    assert (two.image("t/app:1") / "out").read_text() == "built"
    assert any("is not used" in warning for warning in two.warnings)
    three = Machine(two.root.parent / "three", str(cache))
    assert "run" not in three.build("app").values()


@pytest.mark.parametrize("harm", [_damage, _cut, _empty])
def test_harm_done_to_records_is_a_miss(one: Machine, two: Machine, cache: Path, harm: Any) -> None:
    one.build("other")
    harm(_records(cache))
    assert two.build("other") == {"other/0": "run"}
    assert (two.image("zbuild") / "other.txt").read_text() == "1"


def test_a_record_of_other_inputs_is_not_believed(one: Machine, two: Machine, cache: Path) -> None:
    one.build("other")
    (record,) = _records(cache)
    one.write("other.txt", "poison")
    one.build("other", cache_to=(f"{cache}-2",))
    (poison,) = _records(Path(f"{cache}-2"))
    record.write_bytes(poison.read_bytes())
    assert two.build("other") == {"other/0": "run"}
    assert any("its inputs are others" in warning for warning in two.warnings)


def test_a_place_that_fails_is_told_of_once(one: Machine, cache: Path) -> None:
    cache.write_text("no folder")
    assert set(one.build().values()) == {"run"}
    (warning,) = one.warnings
    assert f"the remote cache {cache} is not used any more" in warning


def test_read_only_writes_nothing(one: Machine, two: Machine, cache: Path) -> None:
    one.build("other", cache_read_only=True)
    assert not cache.exists()
    one.build("other")
    before = _records(cache)
    two.write("other.txt", "2")
    assert two.build("other", cache_read_only=True) == {"other/0": "run"}
    assert _records(cache) == before


def test_old_entries_are_not_used(one: Machine, two: Machine) -> None:
    one.build("other")
    time.sleep(0.01)
    assert two.build("other", cache_ttl=0.001) == {"other/0": "run"}


def test_everything_again_means_everything(one: Machine, two: Machine) -> None:
    one.build("app")
    assert set(two.build("app", always=True).values()) == {"run"}


def test_what_runs_each_time_is_not_pulled_nor_what_reads_it(one: Machine, two: Machine) -> None:
    for machine in (one, two):
        machine.write("zbuild.yaml", FILE.replace("  app:\n", "  app:\n    no_cache: true\n"))
        assert set(machine.build("app").values()) == {"run"}


def test_cached_results_are_brought_too(one: Machine, two: Machine) -> None:
    one.build(cache_to=())
    assert set(one.build().values()) == {"cached"}
    assert "run" not in two.build().values()


def test_nothing_is_asked_of_the_place_when_nothing_changed(one: Machine, cache: Path) -> None:
    one.build()
    records = {path: path.stat().st_atime_ns for path in _records(cache)}
    for path in records:
        os.utime(path, ns=(0, 0))
    assert set(one.build().values()) == {"cached"}
    assert {path.stat().st_mtime_ns for path in records} == {0}


def test_a_failed_build_shares_what_had_finished(one: Machine, two: Machine) -> None:
    one.write("zbuild.yaml", FILE.replace("[write, /three, three]", "[fail, '3', no]"))
    with pytest.raises(BuildFailedError):
        one.build("app")
    assert two.build("app")["app/final"] == "pulled"


def test_places_of_the_build_file(one: Machine, two: Machine, tmp_path: Path) -> None:
    for machine in (one, two):
        section = f"cache: {{type: persistent, path: {tmp_path / 'kept'}}}\n"
        machine.write("zbuild.yaml", FILE + section)
    one.build(cache_from=(), cache_to=())
    assert "run" not in two.build(cache_from=(), cache_to=()).values()


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("{type: persistent}", "needs 'path'"),
        ("{type: s3, region: x}", "needs 'bucket'"),
        ("{type: s3, bucket: b, endpoint: 'ftp://x'}", "is no address"),
        ("{type: s3, bucket: b, endpoint: 'https://me:pw@x'}", "credentials do not belong"),
        ("{from: [cache]}", "names no registry"),
        ("{to: ['r.example/c:tag']}", "is one image"),
        ("{to: ['s3://b/p?colour=red']}", "is no setting of a bucket"),
        ("{from: [./c], ttl: soon}", "is not an age"),
        ("{from: [./c], max_size: much}", "is not a size"),
    ],
)
def test_wrong_places_are_told_before_anything_runs(one: Machine, section: str, told: str) -> None:
    one.write("zbuild.yaml", f"{FILE}cache: {section}\n")
    with pytest.raises(BuildFileError, match=told):
        one.build(cache_from=(), cache_to=())


def test_memory_is_what_the_records_are_anyway(one: Machine) -> None:
    one.write("zbuild.yaml", f"{FILE}cache: {{type: memory}}\n")
    assert set(one.build(cache_from=(), cache_to=()).values()) == {"run"}
    assert set(one.build(cache_from=(), cache_to=()).values()) == {"cached"}


def test_wrong_places_among_the_options(one: Machine) -> None:
    with pytest.raises(UsageError, match="no place for a cache"):
        one.build(cache_from=("Not A Place",))


def test_a_folder_stays_within_its_size(one: Machine, cache: Path) -> None:
    section = f"cache: {{to: ['{cache}'], max_size: 1}}\n"
    one.write("zbuild.yaml", FILE + section)
    one.build(cache_from=(), cache_to=())
    young = _records(cache)
    assert young != []  # their layers are too young to be taken from whoever may be writing a record
    _age(cache)
    one.build("app", cache_from=(), cache_to=())
    assert not set(young) & set(_records(cache))


def test_an_old_entry_is_replaced_by_a_new_one(one: Machine, two: Machine, cache: Path) -> None:
    one.build("other", cache_ttl=3600.0)
    (record,) = _records(cache)
    before = record.read_bytes()
    time.sleep(1.6)
    assert two.build("other", cache_ttl=1.5) == {"other/0": "run"}
    assert record.read_bytes() != before


def test_explain_tells_the_place(one: Machine, two: Machine, cache: Path) -> None:
    one.build("app")
    stages = {stage.id: stage for stage in Workspace(two.root).explain("app", two.options())}
    assert (stages["app/on-it"].action, stages["app/on-it"].reason) == ("pulled", f"from {cache}")


def test_a_client_that_is_not_installed_is_told_before_anything_runs(
    one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zbuild.cache.s3.find_spec", lambda _name: None)
    with pytest.raises(BackendError) as raised:
        one.build(cache_from=("s3://bucket",))
    assert (raised.value.exit_code, raised.value.hint) == (3, "install it: pip install 'zbuild[s3]'")
    assert not (one.root / ".zbuild/fake").exists()


def test_prune_of_a_remote_cache(one: Machine, cache: Path) -> None:
    one.build()
    young = prune_remote(str(cache), PruneChoices(keep_size=1))
    assert (young.size, len(_records(cache))) == (0, 6)
    assert young.waiting.startswith("kept for now: 6 records and ")
    _age(cache)
    assert prune_remote(str(cache), PruneChoices(keep_size=1, dry_run=True)).removed[0] == "6 records"
    assert prune_remote(str(cache), PruneChoices(keep_size=1)).size > 0
    assert _records(cache) == []
    with pytest.raises(UsageError, match="there is no cache at"):
        prune_remote(f"{cache}-not", PruneChoices())
    with pytest.raises(UsageError, match="keeps its room itself"):
        prune_remote("registry.example/cache", PruneChoices())


def test_the_next_place_is_asked_when_the_first_has_nothing_good(one: Machine, two: Machine, cache: Path) -> None:
    good = f"{cache}-2"
    one.build("other", cache_to=(str(cache), good))
    _damage(_records(cache))
    assert two.plan("other", cache_from=(str(cache), good))["other"] == ("pulled", f"from {good}")
    assert two.build("other", cache_from=(str(cache), good), cache_to=()) == {"other/0": "pulled"}


def test_what_was_found_by_its_inputs_is_cached_from_then_on(one: Machine, two: Machine) -> None:
    one.build()
    two.write("source.txt", "2")
    two.build("app")
    assert set(two.build("app").values()) == {"cached"}
    assert set(two.build("app", cache_from=(), cache_to=()).values()) == {"cached"}


def test_a_full_disk_is_told_as_such(one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    one.build("other")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("zbuild.api.remote_pull.unpack", full)
    with pytest.raises(StateError) as raised:
        two.build("other")
    assert raised.value.code == "disk-full"


def test_what_could_not_be_brought_is_told_and_tried_again(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("zbuild.api.remote_push.pack", lambda *_: 1 / 0)
        assert one.build("other") == {"other/0": "run"}
    assert "1 result did not get to the remote cache" in one.warnings[0]
    assert "run" not in one.build("other").values()
    assert one.warnings == []
    assert len(_records(Path(one.place))) == 1
