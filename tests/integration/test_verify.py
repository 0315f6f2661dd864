"""`zbuild verify`: images that are whole and up to date, and what is said of those that are not."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from support.monorepo import Monorepo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.monorepo import Ended
    from support.storage import Storage

DOCKERFILE = """\
FROM t/base:1
RUN mkdir /d && echo one > /d/a && ln /d/a /d/b && ln -s a /d/c && chmod 640 /d/a && echo x > /gone
RUN rm /gone && rm -r /d && mkdir /d && echo two > /d/z
COPY --chown=7:8 main.txt /app/
"""


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    made = Monorepo.create(tmp_path, environment=storage.environment)
    made.write("api/Dockerfile", DOCKERFILE)
    made.build("api", "--layers")
    return made


def folder_with(storage: Storage, path: str, kind: Callable[[int], bool] = stat.S_ISREG) -> Path:
    """Return the folder of the layer that has a path, of that kind."""
    found = [folder for folder in (storage.root / "graph/overlay").glob("*/diff") if os.path.lexists(folder / path)]
    (folder,) = [one for one in found if kind((one / path).lstat().st_mode)]
    return folder


PLAIN = "zbuild build api"  # does where nothing is damaged


def said(ended: Ended, hint: str = "zbuild build -B api") -> str:
    assert ended.code == 1, ended.stderr
    assert "error[not-verified]: 1 image of 1 not as it should be" in ended.stderr
    assert f"hint: build anew: '{hint}'" in ended.stderr
    return ended.stdout


def test_images_as_they_were_built_are_whole(repo: Monorepo) -> None:
    ended = repo.zbuild("verify", "api", "base")
    assert (ended.code, ended.stderr) == (0, "")
    assert [line.partition(",")[0] for line in ended.stdout.splitlines()] == [
        "api: whole and up to date",
        "base: whole and up to date",
    ]


def change_content(folder: Path) -> None:
    file = folder / "app/main.txt"
    before = file.stat()
    file.write_text(file.read_text().swapcase())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def take_away(folder: Path) -> None:
    (folder / "app/main.txt").unlink()


def add(folder: Path) -> None:
    (folder / "app/evil").write_text("#!/bin/sh\n")


def change_mode(folder: Path) -> None:
    (folder / "app/main.txt").chmod(0o6755)


def change_owner(folder: Path) -> None:
    os.chown(folder / "app/main.txt", 0, 0)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (change_content, "its files come to sha256:"),
        (take_away, "cannot be put together: "),
        (add, "app/evil is in no layer"),
        (change_mode, "app/main.txt has another mode"),
        (change_owner, "app/main.txt has another owner"),
    ],
)
def test_a_file_that_was_tampered_with_is_told(
    repo: Monorepo, storage: Storage, harm: Callable[[Path], None], told: str
) -> None:
    harm(folder_with(storage, "app/main.txt"))
    assert told in said(repo.zbuild("verify", "api"))


def test_links_and_removals_count(repo: Monorepo, storage: Storage) -> None:
    folder = folder_with(storage, "d/a")
    (folder / "d/c").unlink()
    (folder / "d/c").symlink_to("/etc/shadow")
    (folder / "d/b").unlink()
    (folder / "d/b").write_text("one\n")
    folder = folder_with(storage, "gone", stat.S_ISCHR)
    (folder / "gone").unlink()
    (folder / "gone").write_text("back")
    told = said(repo.zbuild("verify", "api"))
    assert "d/b is another file" in told
    assert "d/c leads elsewhere" in told
    assert "gone is there again" in told


def test_what_the_build_files_no_longer_give_is_told(repo: Monorepo) -> None:
    repo.write("api/main.txt", "changed")
    assert said(repo.zbuild("verify", "api"), PLAIN).startswith("api: not what these build files give: ")


def test_an_image_that_is_gone_or_was_never_built_is_told(repo: Monorepo, storage: Storage) -> None:
    ended = repo.zbuild("verify", "web")
    assert (ended.code, ended.stdout) == (1, "web: not what these build files give: never built here\n")
    storage.buildah("rmi", "--force", storage.images()["localhost/t/api:1"])
    assert "gone from the store" in said(repo.zbuild("verify", "api"), PLAIN)


def test_a_tag_that_another_image_has_is_told(repo: Monorepo, storage: Storage) -> None:
    storage.buildah("tag", "localhost/t/base:1", "localhost/t/api:latest")
    assert "api: localhost/t/api:latest is another image, " in said(repo.zbuild("verify", "api"), PLAIN)
    repo.build("api")
    assert repo.zbuild("verify", "api").code == 0


def test_a_configuration_that_was_changed_is_told(repo: Monorepo, storage: Storage) -> None:
    image = storage.images()["localhost/t/api:1"]
    folder = storage.root / "graph/overlay-images" / image
    (file,) = [path for path in folder.iterdir() if path.name.startswith("=") and b'"rootfs"' in path.read_bytes()]
    file.write_bytes(file.read_bytes().replace(b"linux", b"linus"))
    assert "its configuration comes to " in said(repo.zbuild("verify", "api"))
