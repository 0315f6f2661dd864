"""Images written for other tools, which are asked what they find."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.monorepo import Monorepo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.storage import Storage

DOCKER = "/usr/bin/docker"


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    (tmp_path / "w").mkdir()
    return Monorepo.create(tmp_path / "w", environment=storage.environment)


@pytest.fixture
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where a docker daemon of the test's own listens."""
    folder = tmp_path_factory.mktemp("docker")
    path = f"/usr/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
    settings = {"DOCKER_HOST": f"unix://{folder}/docker.sock", "PATH": path}
    argv = ["dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--bridge=none"]
    argv += ["--pidfile", f"{folder}/docker.pid", "--host", settings["DOCKER_HOST"], "--iptables=false"]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(argv, stdout=log, stderr=log, env=os.environ | {"PATH": path})
    deadline = time.monotonic() + 60
    while subprocess.run([DOCKER, "version"], env=os.environ | settings, capture_output=True, check=False).returncode:
        assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
        time.sleep(0.1)
    yield settings
    daemon.terminate()
    daemon.wait(60)
    shutil.rmtree(folder, ignore_errors=True)


def inspect(image: str, *flags: str) -> dict[str, Any]:
    done = subprocess.run(["skopeo", "inspect", *flags, image], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("output", "transport"),
    [
        ("type=oci,dest=out", "oci-archive:"),
        ("type=oci,dest=out,tar=false", "oci:"),
        ("type=docker,dest=out", "docker-archive:"),
        ("type=dir,dest=out", "dir:"),
    ],
)
def test_what_is_written_is_the_image(repo: Monorepo, output: str, transport: str) -> None:
    for _ in range(2):  # the second time over the first
        repo.build("api", "-o", output)
        found = inspect(f"{transport}{repo.root}/out", "--config")
        assert found["config"]["Cmd"] == ["cat", "/app/out.txt"]
        assert [path.name for path in repo.root.glob(".out*")] == []


def test_archives_of_docker_have_all_tags(repo: Monorepo) -> None:
    repo.build("api", "--output", "type=docker,dest=api.tar")
    with tarfile.open(repo.root / "api.tar") as archive:
        (manifest,) = json.loads(archive.extractfile("manifest.json").read())
    assert manifest["RepoTags"] == ["docker.io/t/api:1", "docker.io/t/api:latest"]


def test_an_archive_holds_all_platforms(repo: Monorepo) -> None:
    repo.write("more/Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY <<EOF /arch\n$TARGETARCH\nEOF\n")
    repo.write("zbuild.yaml", "images: {more: {context: more, platforms: [linux/amd64, linux/s390x]}}\n")
    repo.build("more", "-o", "type=oci,dest=more.tar", "-o", "files")
    index = inspect(f"oci-archive:{repo.root}/more.tar", "--raw")
    assert [item["platform"]["architecture"] for item in index["manifests"]] == ["amd64", "s390x"]
    assert (repo.root / "files/linux_s390x/arch").read_text() == "s390x\n"
    assert (repo.root / "files/linux_amd64/arch").read_text() == "amd64\n"


def test_files_come_with_their_modes_owners_and_links(repo: Monorepo) -> None:
    repo.write(
        "more/Dockerfile",
        "FROM t/base:1\nCOPY --chown=7:8 --chmod=640 file /file\nRUN ln /file /hard && ln -s file /soft\n",
    )
    repo.write("more/file", "x")
    text = (repo.root / "zbuild.yaml").read_text()
    repo.write("zbuild.yaml", f"{text}  more: {{context: more}}\n")
    repo.write("files/kept", "by the folder that is added to")
    repo.build("more", "-o", "files", "-o", "type=tar,dest=files.tar")
    assert (repo.root / "files/kept").exists()
    info = (repo.root / "files/file").stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o777, info.st_nlink) == (7, 8, 0o640, 2)
    assert (repo.root / "files/soft").readlink().name == "file"
    with tarfile.open(repo.root / "files.tar") as archive:
        assert (archive.getmember("./file").uid, archive.getmember("./file").mode) == (7, 0o640)
        assert archive.getmember("./hard").islnk() or archive.getmember("./file").islnk()


def test_docker_runs_what_was_loaded(repo: Monorepo, docker: dict[str, str]) -> None:
    environment = {"PATH": f"/usr/bin:{repo.environment['PATH']}", "DOCKER_HOST": docker["DOCKER_HOST"]}
    repo.build("api", "--load", **environment)
    argv = [DOCKER, "image", "inspect", "t/api:1"]
    done = subprocess.run(argv, env=os.environ | docker, check=True, capture_output=True, text=True)
    (found,) = json.loads(done.stdout)
    assert found["RepoTags"] == ["t/api:1", "t/api:latest"]
    assert found["Config"]["Cmd"] == ["cat", "/app/out.txt"]


def test_without_docker_nothing_is_built(repo: Monorepo, tmp_path: Path) -> None:
    ended = repo.zbuild("build", "web", "--load", PATH=str(tmp_path / "nothing"))
    assert ended.code == 3
    assert "error[tool-missing]: there is no docker to load the image into" in ended.stderr


def test_a_place_that_cannot_be_written_is_told(repo: Monorepo) -> None:
    (repo.root / "file").touch()
    ended = repo.zbuild("build", "web", "-o", "type=oci,dest=file/image.tar")
    assert ended.code == 3
    assert "file/image.tar" in ended.stderr
    wrong = repo.zbuild("build", "web", "-o", "type=odi,dest=x")
    assert (wrong.code, "did you mean 'oci'" in wrong.stderr) == (2, True)
