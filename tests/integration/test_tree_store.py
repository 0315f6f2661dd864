"""How trees lie in the store (ADR 0022): whoever makes them, wherever the store goes, and whatever runs out."""

from __future__ import annotations

import os
import resource
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from support.lab import run
from support.monorepo import Monorepo

from zbuild.backend.buildah.facts import remember_spec
from zbuild.base.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.lab import Lab, RecordingRunner
    from support.storage import Storage

    from zbuild.backend.buildah.backend import BuildahBackend

# Stages upon stages: one tree upon another, and one upon nothing.
STACKED = """\
FROM t/base:1 AS lower
RUN echo lower > /lower
FROM lower AS builder
RUN echo builder > /builder
FROM scratch AS files
COPY main.txt /
FROM t/base:1
COPY --from=builder /lower /builder /app/
COPY --from=files /main.txt /app/
"""


@contextmanager
def no_byte_to_write() -> Iterator[None]:
    """Let no file grow, as on a full disk; folders can still be made."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def store_folder(lab: Lab) -> Path:
    return backend(lab)._trees.folder


def backend(lab: Lab) -> BuildahBackend:
    return lab.backend  # type: ignore[return-value] # this folder's labs have buildah


def builder(lab: Lab, name: str = "builder", **fields: object) -> str:
    return lab.build(name, run("/bin/write", "/made", name), names=(), read_only=True, **fields).image_id


def test_zbuilds_umask_changes_no_root(buildah_lab: Lab) -> None:
    step = buildah_lab.copy("file", dest="/")
    buildah_lab.put("file")
    before = os.umask(0o077)
    try:
        tree = buildah_lab.build("files", step, names=(), read_only=True, base=None)
        image = buildah_lab.build("image", step, base=None)
    finally:
        os.umask(before)
    assert buildah_lab.lstat(tree.image_id, "/").st_mode == buildah_lab.lstat(image.image_id, "/").st_mode


def test_a_tree_that_cannot_be_written_down_leaves_nothing(buildah_lab: Lab) -> None:
    assert buildah_lab.base
    with no_byte_to_write(), pytest.raises(OSError, match=r"large: '.*/zbuild/.*/tree-"):
        backend(buildah_lab)._trees.create(buildah_lab.base.image_id)
    assert list(store_folder(buildah_lab).iterdir()) == []


def test_a_commit_of_a_tree_that_fails_leaves_no_image(buildah_lab: Lab) -> None:
    tree_id = builder(buildah_lab)
    before = set(backend(buildah_lab)._engine.store.images())
    with no_byte_to_write(), pytest.raises((BackendError, OSError)):
        backend(buildah_lab)._trees.image_of(tree_id)
    assert set(backend(buildah_lab)._engine.store.images()) == before
    assert backend(buildah_lab)._engine.store.containers() == []


def test_only_what_is_on_the_disk_is_taken_for_a_trees_image(buildah_lab: Lab, runner: RecordingRunner) -> None:
    tree_id = builder(buildah_lab)
    name = backend(buildah_lab)._engine.names.image(tree_id)
    image_id = backend(buildah_lab)._trees.image_of(tree_id)
    assert runner.called[-2:] == ["commit", "tag"]  # a sync lies between the two
    assert name in backend(buildah_lab).images()[image_id]
    assert backend(buildah_lab)._trees.image_of(tree_id) == image_id
    backend(buildah_lab).sweep({tree_id}, [])
    assert image_id in backend(buildah_lab).images()


def test_a_network_that_only_buildah_can_give_makes_an_image(buildah_lab: Lab) -> None:
    engine = backend(buildah_lab)._engine
    remember_spec(engine._memory, "none", {})
    made = buildah_lab.build("offline", run("/bin/write", "/made", "offline", network="none"), names=(), read_only=True)
    assert backend(buildah_lab).is_image(made.image_id)
    assert buildah_lab.read(made.image_id, "/made") == "offline"


def test_what_is_written_down_of_a_tree_is_read_once(buildah_lab: Lab) -> None:
    tree_id = builder(buildah_lab)
    assert tree_id in backend(buildah_lab).images()
    (store_folder(buildah_lab) / tree_id / "below").unlink()
    assert tree_id in backend(buildah_lab).images()
    shutil.rmtree(store_folder(buildah_lab) / tree_id)
    assert tree_id not in backend(buildah_lab).images()


@pytest.mark.parametrize("wanted", ["copied", "image"])
def test_a_store_that_is_moved_keeps_its_trees(tmp_path: Path, storage: Storage, wanted: str) -> None:
    repo = Monorepo.create(tmp_path, environment=storage.environment)
    repo.write("api/Dockerfile", STACKED)
    repo.build()
    (storage.root / "graph").rename(storage.root / "moved")
    settings = storage.root / "storage.conf"
    settings.write_text(settings.read_text().replace("/graph", "/moved"))
    if wanted == "image":
        ended = repo.zbuild("build", "api/builder", "--tag", "t/builder:1")
        assert ended.code == 0, ended.stderr
        assert storage.read("t/builder:1", "/lower") == "lower"
        return
    repo.write("api/Dockerfile", STACKED.replace("/app/", "/other/"))
    actions = repo.build("api")
    assert [actions[f"api/{name}"] for name in ("lower", "builder", "files", "3")] == [*["cached"] * 3, "run"]
    assert storage.read("t/api:1", "/other/builder") == "builder"
