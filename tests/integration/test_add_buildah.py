"""ADD of URLs and git references with real buildah: what lands is what buildah's own ADD lands, where it has one."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from support.dockerfiles import BASE, Bench, Case
from support.file_server import run_file_server
from support.git_server import run_git_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.dockerfiles import Image
    from support.file_server import FileServer

PREAMBLE = f"FROM {BASE}\nWORKDIR /work\nENV NAME=tool\n"


def archive() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as made:
        member = tarfile.TarInfo("in/file")
        member.size, member.mode, member.uid = 4, 0o640, 7
        made.addfile(member, io.BytesIO(b"text"))
    return data.getvalue()


@pytest.fixture(scope="module")
def server() -> Iterator[FileServer]:
    with run_file_server() as made:
        yield made


@pytest.fixture(scope="module")
def cases(server: FileServer) -> dict[str, Case]:
    """What buildah 1.28 can do, too."""
    tool, packed = server.put("/files/tool", "tool"), server.put("/files/a.tar.gz", archive())
    server.put("/moved", "", status=302, headers={"Location": "/files/tool"})
    files = {"local": "local", "packed.tar.gz": archive()}
    return {
        "names": Case(f"{PREAMBLE}ADD {tool} /in/\nADD {tool} /named\nADD {tool} relative\nADD {tool} .\n"),
        "words": Case(f'{PREAMBLE}ARG H={server.address}\nADD "http://$H/files/${{NAME}}?v=1" /in/\n'),
        "owned": Case(f"{PREAMBLE}ADD --chown=web:staff --chmod=0751 {tool} /in/\n"),
        "several": Case(f"{PREAMBLE}ADD local {tool} packed.tar.gz /in/\n", files),
        "packed": Case(f"{PREAMBLE}ADD {packed} /in/\nADD {packed} /named\n"),
        "moved": Case(f"{PREAMBLE}ADD {server.url('/moved')} /in/\n"),
        "onbuild": Case(f"{PREAMBLE}ONBUILD ADD {tool} /in/\n"),
        "existing": Case(f"{PREAMBLE}RUN mkdir /there && ln -s /there /link\nADD {tool} /there\nADD {tool} /link/\n"),
    }


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, cases: dict[str, Case]) -> Iterator[Bench]:
    made = Bench.create(tmp_path_factory.mktemp("add"))
    ended = made.zbuild(cases)
    assert ended.code == 0, ended.stderr
    for name, case in cases.items():
        built = made.buildah(name, case)
        assert built.returncode == 0, built.stderr
    yield made
    made.remove()


NAMES = ("names", "words", "owned", "several", "packed", "moved", "onbuild", "existing")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_lands_as_with_buildah(bench: Bench, cases: dict[str, Case], name: str) -> None:
    assert set(NAMES) == set(cases)
    ours, theirs = (bench.image(f"localhost/{who}/{name}:1") for who in "zb")
    assert ours.tree == theirs.tree
    assert ours.config == theirs.config


def test_what_buildah_lacks(bench: Bench, server: FileServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    packed = server.put("/files/a.tar.gz", archive())
    with run_git_server(tmp_path_factory.mktemp("git")) as git:
        repo = git.repository("app")
        commit = repo.commit(readme="one")
        text = f"""{PREAMBLE}\
ADD --unpack {packed} /unpacked/
ADD --unpack=false packed.tar.gz /packed/
ADD --checksum={commit[:7]} {repo.url}#main app
"""
        assert bench.workspace({"new": Case(text, {"packed.tar.gz": archive()})}).build() == {"new/0": "run"}
    image: Image = bench.image("localhost/z/new:1")
    member = image.tree["/unpacked/in/file"]
    assert (member.mode, member.owner, member.content) == ("640", (7, 0), b"text")
    assert image.tree["/packed/packed.tar.gz"].kind == "-"
    assert image.text("/work/app/readme") == "one"
    assert "/work/app/.git" not in image.tree
