"""What is listed, summed up and removed by `zbuild cache`, with images that are folders."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from zbuild.api.cache import PruneChoices
from zbuild.api.options import BuildOptions
from zbuild.api.workspace import Workspace
from zbuild.backend.cache_folders import note_use
from zbuild.backend.fake.images import ImageFolder
from zbuild.base.errors import BuildFileError, StateError
from zbuild.cli.main import run
from zbuild.state.folder import StateFolder
from zbuild.state.lock import WorkspaceLock

if TYPE_CHECKING:
    from pathlib import Path

FAKE = BuildOptions(backend="fake")
_FILE = """\
images:
  lib: {base: scratch, steps: [{copy: lib.txt, to: /}]}
  app: {base: scratch, tags: ["t/app:1"], steps: [{copy: app.txt, to: /}, {copy: /lib.txt, from: lib, to: /}]}
"""


class Shop:
    """A workspace of two images, of which one is tagged."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images = ImageFolder(root / ".zbuild/fake/images")
        self.notices: list[str] = []
        self.write("zbuild.yaml", _FILE)
        self.write("lib.txt", "1")
        self.write("app.txt", "1")

    @property
    def cache(self):
        return Workspace(self.root).cache(FAKE, self.notices.append)

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def build(self) -> dict[str, str]:
        """Build all; return what became of each image."""
        report = Workspace(self.root).build((), FAKE)
        return {image.name: stage.action for image in report.images for stage in image.stages}

    def state(self) -> list[tuple[str, bool, bool]]:
        return [(stage.stage, stage.needed, stage.present) for stage in self.cache.stages()]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_what_the_build_files_lead_to_is_needed_and_stays(shop: Shop) -> None:
    shop.build()
    shop.write("lib.txt", "2")
    shop.build()
    assert shop.state() == [("lib", False, True), ("app", False, True), ("lib", True, True), ("app", True, True)]
    pruned = shop.cache.prune()
    assert [what.rpartition(" ")[2] for what in pruned.removed] == ["lib", "app"]
    assert pruned.size > 0
    assert shop.state() == [("lib", True, True), ("app", True, True)]
    assert set(shop.build().values()) == {"cached"}
    assert shop.cache.prune().removed == ()


def test_what_is_needed_is_told_by_the_files_and_not_by_what_is_newest(shop: Shop) -> None:
    shop.build()
    shop.write("lib.txt", "2")
    shop.build()
    shop.write("lib.txt", "1")
    assert [needed for _, needed, _ in shop.state()] == [True, True, False, False]
    shop.cache.prune()
    assert set(shop.build().values()) == {"cached"}


def test_before_an_edit_is_built_the_last_results_stay(shop: Shop) -> None:
    shop.build()
    shop.write("lib.txt", "2")
    shop.write("app.txt", "2")
    assert [needed for _, needed, _ in shop.state()] == [True, True]


def test_images_with_a_name_of_a_user_stay_with_their_records(shop: Shop) -> None:
    shop.build()
    shop.cache.prune(PruneChoices(everything=True))
    (app,) = shop.cache.stages()
    assert (app.stage, app.tags) == ("app", ("localhost/t/app:1",))
    assert shop.build() == {"lib": "run", "app": "cached"}


def test_an_image_that_leaves_the_build_files_goes(shop: Shop) -> None:
    shop.build()
    shop.write("zbuild.yaml", "images:\n  other: {base: scratch, labels: {a: b}}\n")
    assert [(stage.stage, stage.needed) for stage in shop.cache.stages()] == [("lib", False), ("app", False)]
    assert len(shop.cache.prune().removed) == 1  # the other one is tagged


def test_the_age_of_a_result_is_that_of_its_last_use(shop: Shop) -> None:
    shop.build()
    shop.write("lib.txt", "2")
    shop.build()
    assert shop.cache.prune(PruneChoices(older_than=3600)).removed == ()
    assert len(shop.cache.prune(PruneChoices(older_than=0)).removed) == 2


def test_a_budget_takes_the_least_lately_used_and_no_more_than_it_must(shop: Shop) -> None:
    for text in ("1", "22", "333"):
        shop.write("lib.txt", text * 1000)
        shop.build()
    unused = [stage.image_id for stage in shop.cache.stages() if not stage.needed]
    total = shop.cache.usage()[0].size
    assert shop.cache.prune(PruneChoices(keep_size=total)).removed == ()
    assert shop.cache.prune(PruneChoices(keep_size=total - 1)).removed[0].startswith(f"image {unused[0][:12]}")
    assert len(shop.cache.prune(PruneChoices(keep_size=0)).removed) == len(unused) - 1
    assert [needed for _, needed, _ in shop.state()] == [True, True]


def test_a_dry_run_says_it_and_does_nothing(shop: Shop) -> None:
    shop.build()
    shop.write("lib.txt", "2")
    shop.build()
    told = shop.cache.prune(PruneChoices(dry_run=True))
    assert len(shop.images.all()) == 4
    assert shop.cache.prune() == told


def test_records_whose_images_went_otherwise_are_listed_and_forgotten(shop: Shop) -> None:
    shop.build()
    shop.write("lib.txt", "2")
    shop.build()
    shop.images.remove(shop.images.all().keys())
    assert [present for _, _, present in shop.state()] == [False] * 4
    assert shop.cache.prune().removed == ()
    assert shop.state() == [("lib", True, False), ("app", True, False)]


def test_a_run_that_changed_something_drops_dead_records_itself(shop: Shop) -> None:
    for text in "123":
        shop.write("lib.txt", text)
        shop.build()
        shop.images.remove(shop.images.all().keys())
    shop.write("lib.txt", "4")
    shop.build()
    assert shop.state() == [("lib", True, True), ("app", True, True)]


def test_cache_mounts_and_fetched_files_go_when_asked(shop: Shop) -> None:
    shop.build()
    folder = StateFolder.open(shop.root)
    for name in ("old", "new"):
        (folder.mounts / name).mkdir()
        note_use(folder.mounts / name, name)
        (folder.fetched / name).mkdir()
    long_ago = time.time() - 10_000
    for path in (folder.mounts / "old.id", folder.fetched / "old"):
        os.utime(path, (long_ago, long_ago))
    assert [use.name for use in shop.cache.usage() if use.kind == "cache mount"] == ["new", "old"]
    assert shop.cache.prune().removed == ()
    removed = shop.cache.prune(PruneChoices(older_than=3600, everything=True, mounts=True)).removed
    assert removed == ("cache mount old", "1 folder of what was fetched")
    assert [path.name for path in folder.fetched.iterdir()] == ["new"]
    assert shop.cache.prune(PruneChoices(mounts=True)).removed == ("cache mount new",)


def test_wrong_build_files_remove_nothing(shop: Shop) -> None:
    shop.build()
    shop.write("zbuild.yaml", "images: 1\n")
    with pytest.raises(BuildFileError):
        shop.cache.prune()
    assert len(shop.images.all()) == 2
    assert len(shop.cache.prune(PruneChoices(everything=True)).removed) == 1


def test_without_the_base_images_all_results_of_the_stages_count_as_needed(shop: Shop) -> None:
    shop.build()
    shop.write("lib.txt", "2")
    shop.build()
    shop.write("zbuild.yaml", _FILE + "  far: {base: registry.invalid/x:1}\n")
    assert {needed for _, needed, _ in shop.state()} == {True}
    assert "registry.invalid/x:1" in shop.notices[0]
    assert shop.cache.prune().removed == ()


def test_a_running_build_is_not_disturbed(shop: Shop) -> None:
    shop.build()
    impatient = Workspace(shop.root).cache(BuildOptions(backend="fake", wait=False))
    lock = WorkspaceLock(StateFolder.open(shop.root).lock, "zbuild build")
    with lock.acquire(wait=True, on_wait=shop.notices.append), pytest.raises(StateError) as raised:
        impatient.prune()
    assert raised.value.code == "locked"


def test_the_command_line(shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(shop.root)
    monkeypatch.setenv("ZBUILD_BACKEND", "fake")
    shop.build()
    shop.write("lib.txt", "2")
    shop.build()
    assert run(["cache", "ls"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["STAGE", "KEY", "IMAGE", "SIZE", "MADE", "USED", "STATE"]
    assert [line.rpartition("  ")[2] for line in lines[1:]] == [
        *("not needed", "not needed", "needed", "needed, tagged localhost/t/app:1")
    ]
    assert run(["cache", "ls", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["stage"] for entry in listed] == ["lib", "app", "lib", "app"]
    assert run(["cache", "du", "--format", "json"]) == 0
    sums = json.loads(capsys.readouterr().out)
    assert {entry["kind"] for entry in sums} == {"images", "fetched", "logs", "state"}
    assert sums[0]["count"] == 4
    assert run(["cache", "du"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("all ")
    assert run(["cache", "prune", "--older-than", "1h"]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"
    assert run(["cache", "prune", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("would remove image ")
    assert run(["cache", "prune", "--keep-size", "0"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("freed ")
    assert len(shop.images.all()) == 2


@pytest.mark.parametrize(("option", "value"), [("--older-than", "soon"), ("--keep-size", "much")])
def test_what_is_no_amount_is_refused(shop: Shop, capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    assert run(["cache", "prune", "-C", str(shop.root), option, value]) == 2
    assert f"'{value}' is not" in capsys.readouterr().err
