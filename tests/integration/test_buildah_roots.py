"""The roots of containers and images, which zbuild mounts by itself: what buildah, and others, do at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from support.lab import run

from zbuild.backend.buildah import stage
from zbuild.base.errors import ImageGoneError
from zbuild.events.types import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.buildah_store import BuildahStore
    from support.lab import Lab

    from zbuild.backend.rootfs import Rootfs
    from zbuild.model.steps import CopyStep


def test_buildah_works_in_a_container_that_zbuild_has_mounted(buildah_lab: Lab) -> None:
    """A network of its own leaves this RUN to `buildah run`, which mounts the container by itself."""
    buildah_lab.put("f", "copied")
    alone = run("/bin/sh", "-c", "cat /f > /seen; echo more >> /f", network="private")
    steps = (buildah_lab.copy("f", dest="/f"), alone, run("/bin/sh", "-c", "cat /seen /f"))
    buildah_lab.build("both", *steps)
    said = [event.line for event in buildah_lab.events if isinstance(event, Output)]
    assert said == ["copiedcopiedmore"]
    assert buildah_lab.backend._engine.overlay.leftovers("zbuild-") == set()


def test_an_image_that_is_removed_while_it_is_read_is_gone(
    buildah_lab: Lab, buildah_store: BuildahStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = buildah_lab.build("source", run("/bin/touch", "/x"))
    copied = buildah_lab.copy_from("s", "/x", dest="/x")
    real = stage.copy_step

    def copy_then_remove(root: Rootfs, step: CopyStep, tree: bytes, check: Callable[[], None]) -> str:
        stamps = real(root, step, tree, check)
        buildah_store.storage.buildah("rmi", "--force", source.image_id)
        return stamps

    monkeypatch.setattr(stage, "copy_step", copy_then_remove)
    with pytest.raises(ImageGoneError):
        buildah_lab.build("copies", copied, images={"s": source.image_id})
    buildah_lab.backend.close()
    assert buildah_lab.backend._engine.overlay.leftovers("zbuild-") == set()


def test_mounting_works_while_buildah_comes_and_goes(buildah_lab: Lab, buildah_store: BuildahStore) -> None:
    """Each buildah mounts the store upon itself for as long as it runs."""
    result = buildah_lab.build("source", run("/bin/touch", "/x"))
    engine = buildah_lab.backend._engine
    layer = engine.store.image(result.image_id).layer
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            buildah_store.storage.buildah("containers")

    with ThreadPoolExecutor(2) as threads:
        others = [threads.submit(come_and_go) for _ in range(2)]
        try:
            for number in range(200):
                assert engine.overlay.mount_image(f"zbuild-root-{number}", layer)
                engine.overlay.unmount(f"zbuild-root-{number}")
        finally:
            ended.set()
        assert [other.result() for other in others] == [None, None]
