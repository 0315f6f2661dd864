"""`zbuild cache` with real images: what is needed stays, what is not is freed, and others' things are left alone."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from support.monorepo import Monorepo

if TYPE_CHECKING:
    from pathlib import Path

    from support.storage import Storage


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    made = Monorepo.create(tmp_path / "one", environment=storage.environment)
    made.build()
    return made


def edit(repo: Monorepo, text: str) -> None:
    """Change what the builder of `api` makes, and build."""
    repo.write("api/main.txt", text)
    repo.build()


def prune(repo: Monorepo, *arguments: str) -> list[str]:
    ended = repo.zbuild("cache", "prune", *arguments)
    assert ended.code == 0, ended.stderr
    return ended.stdout.splitlines()


def image_ids(storage: Storage) -> set[str]:
    listed = json.loads(storage.buildah("images", "--all", "--json", "--no-trunc"))
    return {image["id"].removeprefix("sha256:") for image in listed} | {tree.name for tree in trees(storage)}


def trees(storage: Storage) -> list[Path]:
    return list((storage.root / "graph/zbuild").glob("*/tree-*"))


def layers_size(storage: Storage) -> int:
    layers = json.loads((storage.root / "graph/overlay-layers/layers.json").read_text())
    written = (int((tree / "size").read_text()) for tree in trees(storage))
    return sum(layer.get("diff-size", 0) for layer in layers) + sum(written)


def test_pruning_frees_what_it_says_and_the_next_builds_are_right(repo: Monorepo, storage: Storage) -> None:
    edit(repo, "two" * 20_000)
    needed = {image["image_id"] for image in repo.metadata().values()}
    before, size = image_ids(storage), layers_size(storage)
    foretold = prune(repo, "--dry-run")
    assert image_ids(storage) == before
    told = prune(repo)
    assert [line.removeprefix("removed ") for line in told[:-1]] == [
        line.removeprefix("would remove ") for line in foretold[:-1]
    ]
    assert told[-1].removeprefix("freed ") == foretold[-1].removeprefix("would free ")
    assert len(before - image_ids(storage)) == len(told) - 1 == 2
    assert needed <= image_ids(storage)
    assert layers_size(storage) < size
    assert set(repo.build().values()) == {"cached"}
    edit(repo, "hello")
    assert storage.read("localhost/t/api:1", "/app/out.txt") == "hello"
    edit(repo, "three")
    assert storage.read("localhost/t/api:1", "/app/out.txt") == "three"


def test_images_that_a_user_named_or_uses_stay(repo: Monorepo, storage: Storage) -> None:
    named = repo.metadata()["api"]["image_id"]
    storage.buildah("tag", named, "localhost/mine:1")
    edit(repo, "two")
    used = repo.metadata()["api"]["image_id"]
    container = storage.buildah("from", "--pull-never", used)
    edit(repo, "three")
    gone = repo.metadata()["api"]["image_id"]
    edit(repo, "four")
    prune(repo)
    assert {named, used} <= image_ids(storage)
    assert gone not in image_ids(storage)
    assert storage.read_in(container, "/app/out.txt") == "two"
    prune(repo, "--all")
    tagged = {"localhost/t/base:1", "localhost/t/api:1", "localhost/t/api:latest", "localhost/t/web:1"}
    assert set(storage.images()) == {*tagged, "localhost/mine:1"}


def test_everything_but_tags_can_go_and_is_built_again(repo: Monorepo, storage: Storage) -> None:
    tagged = storage.images()
    prune(repo, "--all", "--mounts")
    assert image_ids(storage) == {image for name, image in tagged.items() if not name.startswith("localhost/zbuild-")}
    assert set(repo.build().values()) == {"cached"}
    edit(repo, "two")
    assert storage.read("localhost/t/api:1", "/app/out.txt") == "two"


def test_workspaces_in_one_store_leave_each_other_alone(repo: Monorepo, storage: Storage, tmp_path: Path) -> None:
    other = Monorepo(tmp_path / "two", storage.environment)
    shutil.copytree(repo.root, other.root, ignore=shutil.ignore_patterns(".zbuild"))
    for name in ("zbuild.yaml", "api/Dockerfile"):
        other.write(name, (repo.root / name).read_text().replace("t/", "u/"))
    other.build()
    edit(other, "two")
    theirs = {stage["image_id"] for stage in listed(other)}
    edit(repo, "two")
    prune(repo, "--all")
    assert theirs <= image_ids(storage)
    assert set(other.build().values()) == {"cached"}
    prune(other)
    assert {stage["stage"] for stage in listed(other)} == {"base", "web", "api/builder", "api"}
    assert {"localhost/t/api:1", "localhost/u/api:1"} <= set(storage.images())


def listed(repo: Monorepo) -> list[dict[str, str]]:
    return json.loads(repo.zbuild("cache", "ls", "--format", "json").stdout)


def test_usage_counts_shared_layers_once(repo: Monorepo, storage: Storage) -> None:
    (images, *_) = json.loads(repo.zbuild("cache", "du", "--format", "json").stdout)
    assert images == {"kind": "images", "name": "", "count": 4, "size": layers_size(storage), "unused": 0}
    edit(repo, "two")
    (images, *_) = json.loads(repo.zbuild("cache", "du", "--format", "json").stdout)
    assert (images["count"], images["size"]) == (6, layers_size(storage))
    prune(repo)
    assert images["size"] - images["unused"] == layers_size(storage)


def test_cache_mounts_are_told_by_id_and_go_when_asked(repo: Monorepo) -> None:
    repo.write(
        "web/Dockerfile",
        'FROM t/base:1\nRUN --mount=type=cache,id=wheels,target=/c ["/bin/busybox", "cp", "/bin/busybox", "/c/b"]\n',
    )
    (repo.root / "web/ZImagefile").unlink()
    repo.build()
    sums = json.loads(repo.zbuild("cache", "du", "--format", "json").stdout)
    (mount,) = [entry for entry in sums if entry["kind"] == "cache mount"]
    assert mount["name"] == "wheels"
    assert mount["size"] >= (repo.root / "base/busybox").stat().st_size
    assert "removed cache mount wheels" in prune(repo, "--mounts")
    assert list((repo.root / ".zbuild/mounts").iterdir()) == []
    edit(repo, "two")
    repo.zbuild("build", "-B")
    assert [path.suffix for path in sorted((repo.root / ".zbuild/mounts").iterdir())][:2] == ["", ".id"]


def test_what_a_killed_build_left_is_swept(repo: Monorepo, storage: Storage) -> None:
    repo.write("web/Dockerfile", 'FROM t/base:1\nRUN ["/bin/busybox", "sh", "-c", "echo started; exec sleep 600"]\n')
    (repo.root / "web/ZImagefile").unlink()
    process = repo.start("build", "--progress", "plain", "web")
    assert process.stderr is not None
    while "started" not in (line := process.stderr.readline()) or "echo" in line or "[web] started" in line:
        assert line
    process.kill()
    process.communicate()
    assert prune(repo)[0].startswith("removed container zbuild-")
    assert storage.containers() == []
