"""The small parts of the backends: names, choice, what is read of a store, the test program."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest
from support.lab import DictMemory

from zbuild.backend.buildah.backend import BuildahBackend
from zbuild.backend.buildah.exit_program import exit_program
from zbuild.backend.buildah.names import Names
from zbuild.backend.buildah.store import Store
from zbuild.backend.fake.backend import FakeBackend
from zbuild.backend.image_json import diff_ids, parse_config, parse_platform_of
from zbuild.backend.local_names import full_name, image_id_of, local_names
from zbuild.backend.select import choose_backend
from zbuild.base.errors import BackendError, ImageGoneError, RegistryError, UsageError
from zbuild.base.platform import Platform
from zbuild.model.image_config import HealthConfig, ImageConfig

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.backend.protocol import Backend


def choose(tmp_path: Path, name: str) -> Backend:
    return choose_backend(name, workspace=tmp_path, state=tmp_path / ".zbuild", memory=DictMemory())


def test_choice_by_name_variable_and_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZBUILD_BACKEND", raising=False)
    assert isinstance(choose(tmp_path, ""), BuildahBackend)
    assert isinstance(choose(tmp_path, "fake"), FakeBackend)
    monkeypatch.setenv("ZBUILD_BACKEND", "fake")
    assert isinstance(choose(tmp_path, ""), FakeBackend)
    assert isinstance(choose(tmp_path, "buildah"), BuildahBackend)


def test_an_unknown_backend_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as raised:
        choose(tmp_path, "bildah")
    assert raised.value.hint == "did you mean 'buildah'?"
    monkeypatch.setenv("ZBUILD_BACKEND", "docker")
    with pytest.raises(UsageError, match="ZBUILD_BACKEND") as raised:
        choose(tmp_path, "")
    assert raised.value.hint == "there are: buildah, fake"


def test_a_host_without_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZBUILD_BACKEND", raising=False)
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(UsageError, match="darwin"):
        choose(tmp_path, "")


def test_names_tell_workspaces_and_containers_apart(tmp_path: Path) -> None:
    one, other = Names(tmp_path / "a"), Names(tmp_path / "b")
    assert one.container_prefix != other.container_prefix
    assert one.image("k") != other.image("k")
    assert one.new_container() != one.new_container()
    assert one.new_container().startswith(one.container_prefix)
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    assert Names(tmp_path / "link").image("k") == one.image("k")


def test_image_names_are_tags_whatever_the_key(tmp_path: Path) -> None:
    names = Names(tmp_path)
    assert names.image("0af1") == f"{names.image_prefix}0af1"
    assert len(names.image("a b/:" * 50)) == len(names.image_prefix) + 32


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ("alpine", ("docker.io/library/alpine:latest", "localhost/alpine:latest")),
        ("team/app:1", ("docker.io/team/app:1", "localhost/team/app:1")),
        ("localhost/app", ("localhost/app:latest",)),
        ("host:5000/app", ("host:5000/app:latest",)),
        ("registry.example/app:1", ("registry.example/app:1",)),
    ],
)
def test_local_names(reference: str, names: tuple[str, ...]) -> None:
    assert local_names(reference) == names
    assert image_id_of(reference) == ""
    assert full_name(reference) == names[0]


def test_ids_are_no_names() -> None:
    assert image_id_of("a" * 64) == image_id_of("sha256:" + "a" * 64) == "a" * 64
    for call in (full_name, image_id_of):
        with pytest.raises(RegistryError):
            call("Not A Name")


def test_config_of_an_image() -> None:
    document = {
        "author": "me",
        "os": "linux",
        "architecture": "arm",
        "variant": "v7",
        "rootfs": {"diff_ids": ["sha256:1", "sha256:2"]},
        "config": {
            "Env": ["A=1=2", "B="],
            "Labels": {"b": "2", "a": "1"},
            "WorkingDir": "/w",
            "User": "u",
            "Cmd": ["c"],
            "Entrypoint": [],
            "Shell": ["s"],
            "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
            "Volumes": {"/v": {}},
            "StopSignal": "TERM",
            "OnBuild": ["RUN x"],
            "Healthcheck": {"Test": ["CMD", "x"], "Interval": 5, "StartInterval": 6},
        },
    }
    assert parse_config(document) == ImageConfig(  # noqa: S604 - SHELL is no shell here
        env=(("A", "1=2"), ("B", "")),
        labels=(("a", "1"), ("b", "2")),
        workdir="/w",
        user="u",
        cmd=("c",),
        shell=("s",),
        ports=("53/udp", "80/tcp"),
        volumes=("/v",),
        stop_signal="TERM",
        health=HealthConfig(("CMD", "x"), interval=5, start_interval=6),
        author="me",
        onbuild=("RUN x",),
    )
    assert parse_platform_of(document) == Platform("linux", "arm", "v7")
    assert diff_ids(document) == ("sha256:1", "sha256:2")


def test_config_that_says_nothing() -> None:
    assert parse_config({"config": None}) == parse_config({}) == ImageConfig()
    assert diff_ids({}) == ()


def test_store_that_is_not_there_yet(tmp_path: Path) -> None:
    store = Store(tmp_path, "overlay")
    assert store.images() == {}
    assert store.containers() == []
    assert store.stamp() == ((str(tmp_path / "overlay-images/images.json"), 0, 0, 0),)
    with pytest.raises(ImageGoneError):
        store.image("x")


def test_size_is_that_of_all_layers(tmp_path: Path) -> None:
    layers = [{"id": "b", "parent": "a", "diff-size": 5}, {"id": "a", "diff-size": 7}, {"id": "x", "diff-size": 99}]
    images = [{"id": "i", "names": ["n"], "layer": "b", "digest": "d", "created": "c"}, {"id": "j"}]
    for kind, entries in (("images", images), ("layers", layers)):
        (tmp_path / f"overlay-{kind}").mkdir()
        (tmp_path / f"overlay-{kind}/{kind}.json").write_text(json.dumps(entries))
    store = Store(tmp_path, "overlay")
    assert store.size(store.image("i")) == 12
    assert store.size(store.image("j")) == 0
    with pytest.raises(ImageGoneError):
        store.config("i")


def test_store_that_is_broken(tmp_path: Path) -> None:
    (tmp_path / "vfs-images/i").mkdir(parents=True)
    (tmp_path / "vfs-images/images.json").write_text('[{"id": "i"')
    (tmp_path / "vfs-images/i/manifest").write_text("")
    store = Store(tmp_path, "vfs")
    with pytest.raises(BackendError) as raised:
        store.images()
    assert raised.value.code == "store-broken"
    with pytest.raises(ImageGoneError) as gone:
        store.config("i")
    assert gone.value.code == "image-broken"


@pytest.mark.parametrize(("machine", "number"), [("amd64", 62), ("arm64", 183), ("riscv64", 243)])
def test_exit_program_is_an_elf_file(machine: str, number: int) -> None:
    program = exit_program(machine)
    assert program is not None
    assert program[:6] == b"\x7fELF\x02\x01"
    assert struct.unpack_from("<HHIQ", program, 16) == (2, number, 1, 0x400000 + 120)
    (size,) = struct.unpack_from("<Q", program, 64 + 32)
    assert size == len(program)


@pytest.mark.parametrize(("machine", "number"), [("386", 3), ("arm", 40)])
def test_exit_programs_of_narrow_machines_are_elf_files(machine: str, number: int) -> None:
    program = exit_program(machine)
    assert program is not None
    assert program[:6] == b"\x7fELF\x01\x01"
    assert struct.unpack_from("<HHII", program, 16) == (2, number, 1, 0x400000 + 84)


def test_other_machines_have_no_exit_program() -> None:
    assert exit_program("mips64le") is None
