"""With real buildah: proxies that RUN sees and the image does not keep, and ignore files of a build file's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.monorepo import Monorepo

if TYPE_CHECKING:
    from support.storage import Storage

BASE = "localhost/t/busybox:1"
PROXY = "http://me:hidden@proxy.example:3128"
DOCKERFILE = f"""\
FROM {BASE}
RUN echo "$HTTP_PROXY $http_proxy ${{NO_PROXY-unset}}" > /seen
RUN env > /environment
"""


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    storage.import_busybox(BASE)
    made = Monorepo(tmp_path / "ws", storage.environment)
    made.write("zbuild.yaml", 'images:\n  app: {context: ctx, file: files/Dockerfile, tags: ["t/app:1"]}\n')
    made.write("ctx/keep.txt", "keep\n")
    made.write("ctx/drop.txt", "drop\n")
    made.write("files/Dockerfile", DOCKERFILE)
    return made


def root_of(storage: Storage) -> Path:
    return Path(storage.buildah("mount", storage.buildah("from", "--pull-never", "localhost/t/app:1")))


@pytest.mark.parametrize("way", ["direct", "buildah"])
def test_a_run_sees_the_proxies_and_the_image_keeps_nothing_of_them(repo: Monorepo, storage: Storage, way: str) -> None:
    given = ("--build-arg", f"HTTP_PROXY={PROXY}")
    # The host's own proxies are none of the build's business.
    ended = repo.zbuild("build", *given, ZBUILD_RUN=way, NO_PROXY="host.example", no_proxy="host.example")
    assert ended.code == 0, ended.stderr
    assert (root_of(storage) / "seen").read_text() == f"{PROXY} {PROXY} unset\n"
    assert "host.example" not in (root_of(storage) / "environment").read_text()
    assert "hidden" not in storage.buildah("inspect", "--type", "image", "localhost/t/app:1")
    assert "hidden" not in ended.stderr
    assert not [log for log in repo.root.glob(".zbuild/logs/*/*") if "hidden" in log.read_text()]
    again = repo.build("--build-arg", "https_proxy=http://other:1", ZBUILD_RUN=way)
    assert again == {"app/0": "cached"}


@pytest.mark.parametrize("name", ["Dockerfile", "ZImagefile.yaml"])
def test_the_build_files_own_ignore_file_wins_wherever_it_lies(repo: Monorepo, storage: Storage, name: str) -> None:
    repo.write("zbuild.yaml", f'images:\n  app: {{context: ctx, file: files/{name}, tags: ["t/app:1"]}}\n')
    repo.write("files/Dockerfile", "FROM scratch\nCOPY . /\n")
    repo.write("files/ZImagefile.yaml", "base: scratch\nsteps:\n  - copy: .\n    to: /\n")
    repo.write("ctx/.dockerignore", "keep.txt\n")
    repo.build()
    assert {path.name for path in root_of(storage).iterdir()} == {"drop.txt", ".dockerignore"}
    repo.write(f"files/{name}.dockerignore", "drop.txt\n.dockerignore\n")
    repo.build()
    assert {path.name for path in root_of(storage).iterdir()} == {"keep.txt"}
    repo.write(f"files/{name}.dockerignore", ".dockerignore\n")
    repo.build()
    assert {path.name for path in root_of(storage).iterdir()} == {"keep.txt", "drop.txt"}
