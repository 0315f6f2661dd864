"""As few buildah calls as the work allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.lab import BASE_CONFIG, RecordingRunner, run

from zbuild.base.platform import host_platform
from zbuild.events.types import Notice
from zbuild.model.image_config import HealthConfig
from zbuild.model.steps import FolderStep, Selection

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from support.buildah_store import BuildahStore
    from support.lab import Lab


def test_copy_and_run_take_three_calls(buildah_lab: Lab, runner: RecordingRunner) -> None:
    buildah_lab.put("f")
    buildah_lab.build("three", FolderStep("/d"), buildah_lab.copy("f", dest="/d/"), run("/bin/touch", "/x"))
    assert runner.called == ["from", "runc", "commit"]


def test_buildahs_run_needs_no_mount(
    buildah_lab: Lab, runner: RecordingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZBUILD_RUN", "buildah")
    buildah_lab.build("three", run("/bin/touch", "/x"))
    assert runner.called == ["from", "run", "commit"]


def test_settings_and_more_names_take_one_call_each(buildah_lab: Lab, runner: RecordingRunner) -> None:
    config = type(BASE_CONFIG)(env=(("PATH", "/bin"), ("A", "1")), labels=(("l", "1"),), user="web", workdir="/x")
    names = ("localhost/lab/c:1", "localhost/lab/c:2", "localhost/lab/c:3")
    buildah_lab.build("config", config=config, names=names)
    assert runner.called == ["from", "config", "commit", "tag"]


def test_images_are_mounted_without_calls(buildah_lab: Lab, runner: RecordingRunner) -> None:
    assert buildah_lab.base
    copy = buildah_lab.copy_from("s", "/bin/say", dest="/x/")
    buildah_lab.build("m", copy, images={"s": buildah_lab.base.image_id})
    assert runner.called == ["from", "commit"]
    buildah_lab.backend.close()
    assert runner.called == ["from", "commit"]


def test_buildah_mounts_an_image_once_for_all_copies(
    buildah_lab: Lab, runner: RecordingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZBUILD_RUN", "buildah")
    assert buildah_lab.base
    images = {"s": buildah_lab.base.image_id}
    for number in range(2):
        copies = [buildah_lab.copy_from("s", f"/bin/{name}", dest="/x/") for name in ("say", "write")]
        buildah_lab.build(f"m{number}", *copies, images=images)
    buildah_lab.backend.tree_digest(buildah_lab.base.image_id, [Selection(("/bin/say",))])
    assert runner.called == ["from", "mount", "from", "mount", "commit", "from", "mount", "commit"]
    runner.called.clear()
    buildah_lab.backend.close()
    assert runner.called == ["rm"]


def test_a_run_with_nothing_to_do_starts_nothing(buildah_store: BuildahStore, tmp_path: Path) -> None:
    buildah_store.lab(tmp_path).build("known")
    runner = RecordingRunner()
    backend = buildah_store.backend(tmp_path, runner)
    found = backend.resolve("localhost/lab/known:1", host_platform(), "missing")
    assert found.image_id in backend.images()
    backend.store_stamp()
    backend.capabilities()
    assert backend.sweep((), ()) == ()
    backend.remove(["f" * 64])
    backend.close()
    assert runner.called == []


def test_what_oci_cannot_hold_is_told(buildah_lab: Lab) -> None:
    config = type(BASE_CONFIG)(health=HealthConfig(("NONE",)))
    result = buildah_lab.build("oci", config=config, base=None)
    assert buildah_lab.config(result.image_id).health is None
    assert buildah_lab.events == [Notice("oci: an image of format oci cannot hold HEALTHCHECK", "warning")]


def test_annotations_and_foreign_platform_reach_the_image(buildah_lab: Lab) -> None:
    from dataclasses import replace  # noqa: PLC0415

    from zbuild.base.platform import parse_platform  # noqa: PLC0415

    order = buildah_lab.order("arm", base=None, annotations=(("org.example.a", "b,c=d"),))
    order = replace(order, platform=parse_platform("linux/arm64"))
    result = buildah_lab.backend.build(order, buildah_lab.events.append)
    found = buildah_lab.backend.resolve(result.image_id, parse_platform("linux/arm64"), "never")
    assert found.image_id == result.image_id
    store = buildah_lab.backend._engine.store
    assert store.manifest(result.image_id)["annotations"]["org.example.a"] == "b,c=d"
