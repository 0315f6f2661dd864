"""Stages that others only read are kept as trees (ADR 0022): with real buildah, through the command line."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.image_tree import describe_tree
from support.monorepo import Monorepo

if TYPE_CHECKING:
    from support.storage import Storage

# Everything an overlay has its own way to write down: what is removed, replaced, linked, made opaque, or is no file.
CHANGES = """\
FROM t/base:1 AS lower
RUN mkdir -p /d/sub /gone/deep && echo old > /d/old && echo kept > /d/sub/kept
RUN echo x > /gone/deep/file && echo f > /file
FROM lower AS upper
RUN rm -r /gone /d/old && rm /file && mkdir /file && echo new > /d/new && ln /d/new /d/linked && ln -s new /d/soft
RUN rm -r /d/sub && mkdir /d/sub && echo other > /d/sub/other && mkfifo /d/pipe
RUN chmod 4711 /d/sub && chown -h 3:4 /d/soft
FROM scratch
COPY --from=upper / /
"""


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    return Monorepo.create(tmp_path, environment=storage.environment)


def trees(storage: Storage) -> set[str]:
    return {path.name for path in (storage.root / "graph/zbuild").glob("*/tree-*")}


def image_root(storage: Storage, image: str) -> Path:
    return Path(storage.buildah("mount", storage.buildah("from", "--pull-never", image)))


def test_a_builder_is_a_tree_and_the_rest_are_images(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    assert len(trees(storage)) == 1
    names = set(storage.images())
    assert {"localhost/t/base:1", "localhost/t/api:1", "localhost/t/web:1"} <= names
    assert not [name for name in names if "zbuild-" in name]
    assert storage.containers() == []
    assert set(repo.build().values()) == {"cached"}


def test_a_change_of_the_runtime_stage_does_not_run_the_builder(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    before = trees(storage)
    repo.write("api/Dockerfile", (repo.root / "api/Dockerfile").read_text() + "LABEL a=b\n")
    actions = repo.build()
    assert (actions["api/builder"], actions["api/1"]) == ("cached", "run")
    assert trees(storage) == before


def test_it_becomes_an_image_when_one_is_wanted_and_no_step_runs(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    ended = repo.zbuild("build", "api/builder", "--tag", "t/builder:1", "--progress", "plain")
    assert ended.code == 0, ended.stderr
    assert "an image is to be made of it" in ended.stderr + ended.stdout
    assert "localhost/t/builder:1" in storage.images()
    assert (image_root(storage, "t/builder:1") / "out.txt").read_text() == "hello\n"
    assert (image_root(storage, "t/builder:1") / "src/main.txt").read_text().startswith("# a comment")
    workdir = storage.buildah("inspect", "--type", "image", "--format", "{{.OCIv1.Config.WorkingDir}}", "t/builder:1")
    assert workdir == "/src"
    assert set(repo.build().values()) == {"cached"}


@pytest.mark.parametrize("wanted", ["/", "/d"])
def test_what_overlays_write_down_is_as_of_images(repo: Monorepo, storage: Storage, wanted: str) -> None:
    repo.write("api/Dockerfile", CHANGES.replace("--from=upper / /", f"--from=upper {wanted} {wanted}"))
    repo.build("api")
    by_trees = describe_tree(image_root(storage, "t/api:1"))
    assert len(trees(storage)) >= 2
    assert repo.zbuild("build", "api/upper", "--tag", "t/upper:1").code == 0
    as_image = describe_tree(image_root(storage, "t/upper:1"))
    repo.zbuild("clean", "--all")
    repo.build("api", ZBUILD_RUN="buildah")
    assert repo.zbuild("build", "api/upper", "--tag", "t/upper:2", ZBUILD_RUN="buildah").code == 0
    assert by_trees == describe_tree(image_root(storage, "t/api:1"))
    assert as_image == describe_tree(image_root(storage, "t/upper:2"))


@pytest.mark.parametrize("gone", ["tree", "image"])
def test_what_was_removed_behind_our_back_is_built_again(repo: Monorepo, storage: Storage, gone: str) -> None:
    repo.build()
    if gone == "tree":
        for path in (storage.root / "graph/zbuild").glob("*/tree-*"):
            shutil.rmtree(path)
    else:
        storage.buildah("rmi", "--force", "t/base:1", "t/api:1", "t/api:latest", "t/web:1")
    repo.write("api/Dockerfile", (repo.root / "api/Dockerfile").read_text().replace("/app/", "/other/"))
    actions = repo.build("api")
    assert actions["api/builder"] == "run"
    assert (image_root(storage, "t/api:1") / "other/out.txt").read_text() == "hello\n"


def test_a_killed_build_leaves_no_tree(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    before = trees(storage)
    repo.write("api/Dockerfile", (repo.root / "api/Dockerfile").read_text().replace("RUN grep", "RUN sleep 50; grep"))
    process = repo.start("build", "--progress", "plain")
    deadline = time.monotonic() + 30
    while trees(storage) == before and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(trees(storage)) == 2
    repo.write("api/Dockerfile", (repo.root / "api/Dockerfile").read_text().replace("RUN sleep 50; grep", "RUN grep"))
    ended = repo.zbuild("build", "-B", "web")
    assert (ended.code, trees(storage)) == (0, before)
    assert "removed" in ended.stderr + ended.stdout


def test_a_checkpoint_of_a_builder_is_begun_at(repo: Monorepo) -> None:
    steps = (
        "FROM t/base:1 AS builder\nRUN sleep 0.4 && echo 1 >> /count\nCOPY main.txt /\nRUN cat main.txt > /out.txt\n"
    )
    repo.write("api/Dockerfile", f"{steps}FROM t/base:1\nCOPY --from=builder /count /out.txt /app/\n")
    repo.build("api")
    repo.write("api/main.txt", "other\n")
    ended = repo.zbuild("build", "api", "--progress", "plain")
    assert ended.code == 0
    assert "1 of 3 instructions" in ended.stdout + ended.stderr


def test_trees_are_told_pruned_and_cleaned(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    assert "api/builder" in repo.zbuild("cache", "ls").stdout
    repo.write("api/main.txt", "changed\n")
    repo.build()
    assert len(trees(storage)) == 2
    pruned = repo.zbuild("cache", "prune")
    assert (pruned.code, len(trees(storage))) == (0, 1)
    assert "removed files tree-" in pruned.stdout
    assert "image tree-" not in pruned.stdout
    assert set(repo.build().values()) == {"cached"}
    assert repo.zbuild("clean", "--all").code == 0
    assert trees(storage) == set()
