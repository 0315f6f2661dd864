"""Squashed images: one layer upon the base, with the same files; labels and annotations of the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.monorepo import Monorepo

if TYPE_CHECKING:
    from pathlib import Path

    from support.storage import Storage

DOCKERFILE = """\
FROM t/base:1 AS first
COPY main.txt /data/a
RUN echo b > /data/b && echo c > /c && ln /data/b /data/hard
FROM first
RUN rm /data/a /bin/sed && echo changed > /c && mkdir -p /data/d && ln -s ../c /data/d/link
CMD ["true"]
"""


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    (tmp_path / "w").mkdir()
    made = Monorepo.create(tmp_path / "w", environment=storage.environment)
    made.write("api/Dockerfile", DOCKERFILE)
    return made


def inspected(storage: Storage, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(storage.buildah("inspect", "--type", "image", name))
    return found


def files(repo: Monorepo, name: str) -> dict[str, tuple[int, int, str]]:
    """Return what is in a folder that an image's files were written to: mode, links and content, by path."""
    root = repo.root / name
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            path.lstat().st_nlink if path.is_file() else 0,
            str(path.readlink()) if path.is_symlink() else path.read_bytes().hex() if path.is_file() else "",
        )
        for path in root.rglob("*")
    }


@pytest.mark.parametrize("layers", ["--layers", "--no-layers"])
@pytest.mark.parametrize("image_format", ["oci", "docker"])
def test_all_that_a_build_adds_is_one_layer(repo: Monorepo, storage: Storage, layers: str, image_format: str) -> None:
    setting = f"images.api.format={image_format}"
    repo.build("api", layers, "--set", setting, "-o", "plain")
    repo.build("api", layers, "--set", setting, "--squash", "-o", "squashed")
    assert files(repo, "squashed") == files(repo, "plain")
    base, made = inspected(storage, "t/base:1"), inspected(storage, "t/api:1")
    below = base["OCIv1"]["rootfs"]["diff_ids"]
    assert made["OCIv1"]["rootfs"]["diff_ids"][: len(below)] == below
    assert len(made["OCIv1"]["rootfs"]["diff_ids"]) == len(below) + 1
    assert made["OCIv1"]["config"]["Cmd"] == ["true"]
    assert repo.metadata()["api"]["layer_count"] == len(below) + 1
    assert repo.metadata()["api"]["digest"] == made["FromImageDigest"]
    assert storage.images()["localhost/t/api:latest"] == repo.metadata()["api"]["image_id"]
    assert set(repo.build("api", layers, "--set", setting, "--squash").values()) == {"cached"}


def test_a_squashed_image_is_a_base_like_any(repo: Monorepo, storage: Storage) -> None:
    repo.write("web/ZImagefile", "build: ../api\nsteps: [{run: 'test -e /data/b && test ! -e /data/a'}]\n")
    text = (repo.root / "zbuild.yaml").read_text()
    repo.write("zbuild.yaml", text.replace("{context: api,", "{context: api, squash: true,"))
    assert repo.build("web")["web/0"] == "run"
    below = inspected(storage, "t/api:1")["OCIv1"]["rootfs"]["diff_ids"]
    assert inspected(storage, "t/web:1")["OCIv1"]["rootfs"]["diff_ids"][: len(below)] == below
    assert set(repo.build("web", "--no-wait").values()) == {"cached"}


def test_labels_and_annotations_go_to_the_targets(repo: Monorepo, storage: Storage) -> None:
    repo.build("web", "--label", "who=me", "--label", "bare", "--annotation", "org.example=x y")
    found = inspected(storage, "t/web:1")
    assert found["OCIv1"]["config"]["Labels"] == {"who": "me", "bare": ""}
    assert json.loads(found["Manifest"])["annotations"]["org.example"] == "x y"
    assert "Labels" not in inspected(storage, "t/base:1")["OCIv1"]["config"]
    ended = repo.zbuild("tag", "web", "t/web:more")
    assert (ended.code, "error[not-built]" in ended.stderr) == (2, True)
    given = ("--label", "who=me", "--label", "bare", "--annotation", "org.example=x y")
    assert repo.zbuild("tag", "web", "t/web:more", *given).code == 0
