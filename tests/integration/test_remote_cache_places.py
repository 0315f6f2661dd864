"""Machines that share results through real servers: S3 and a registry, that work, refuse, fail, and lie."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from support.faulty_registry import Fault, run_faulty
from support.machines import FILE, Machine
from support.registry import PASSWORD, USER, run_registry
from support.s3_server import BUCKET, run_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_s3(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["s3", "registry"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> str:
    """A server's `host:port`."""
    return str(request.getfixturevalue(kind)).removeprefix("http://")


@pytest.fixture
def place(kind: str, tmp_path: Path) -> Callable[[str], str]:
    """A function that returns a place of the test's own at an address, which may be a proxy's."""
    if kind == "s3":
        return lambda address: f"s3://{BUCKET}/{tmp_path.name}?endpoint=http://{address}"
    return lambda address: f"{address}/{tmp_path.name.lower()}/cache"


def _machines(tmp_path: Path, *places: str) -> list[Machine]:
    return [Machine(tmp_path / f"machine-{number}", place) for number, place in enumerate(places)]


def test_another_machine_runs_nothing(server: str, place: Callable[[str], str], tmp_path: Path) -> None:
    one, two = _machines(tmp_path, place(server), place(server))
    assert set(one.build().values()) == {"run"}
    assert (one.warnings, "run" in two.build().values(), two.warnings) == ([], False, [])


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_place_that_refuses_fails_no_build(
    server: str, place: Callable[[str], str], tmp_path: Path, status: int
) -> None:
    with run_faulty(server, lambda _method, _path: Fault(status=status)) as address:
        (machine,) = _machines(tmp_path, place(address))
        started = time.monotonic()
        assert set(machine.build().values()) == {"run"}
    assert len(machine.warnings) == 1
    assert "is not used any more in this run" in machine.warnings[0]
    assert time.monotonic() - started < 60


def test_a_place_that_is_down_fails_no_build(place: Callable[[str], str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (machine,) = _machines(tmp_path, place(address))
    assert set(machine.build().values()) == {"run"}
    assert len(machine.warnings) == 1


def test_answers_that_are_false_are_not_believed(server: str, place: Callable[[str], str], tmp_path: Path) -> None:
    def lie(method: str, path: str) -> Fault | int:
        return Fault(change=lambda body: b"\0" * len(body)) if method == "GET" and _is_content(path) else 0

    with run_faulty(server, lie) as address:
        one, two = _machines(tmp_path, place(server), place(address))
        one.build()
        assert "pulled" not in two.build(cache_to=()).values()
    assert two.warnings


def test_answers_that_break_off_are_a_miss_or_made_good(
    server: str, place: Callable[[str], str], tmp_path: Path
) -> None:
    broken: set[str] = set()

    def break_off_once(method: str, path: str) -> Fault | int:
        if method != "GET" or not _is_content(path) or path in broken:
            return 0
        broken.add(path)
        return Fault(cut=60)

    with run_faulty(server, break_off_once) as address:
        one, two = _machines(tmp_path, place(server), place(address))
        one.build()
        two.build(cache_to=())
    assert broken
    assert (two.image("t/app:1") / "out").read_text() == "built"


def _is_content(path: str) -> bool:
    return "/blobs/sha256" in path or "/layers/" in path or "/records/" in path


def test_a_registry_with_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "registry").mkdir()
    with run_registry(tmp_path / "registry", closed=True) as address:
        one, two = _machines(tmp_path, f"{address}/team/cache", f"{address}/team/cache")
        monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
        one.build()
        assert "zbuild login" in " ".join(one.warnings)
        token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (tmp_path / "auth.json").write_text(json.dumps({"auths": {address: {"auth": token}}}))
        one.build()
        assert one.warnings == []
        assert "run" not in two.build().values()


def test_the_section_of_the_reference(s3: str, tmp_path: Path) -> None:
    section = f"cache: {{type: s3, bucket: {BUCKET}, region: us-east-1, endpoint: '{s3}', prefix: {tmp_path.name}}}\n"
    one, two = _machines(tmp_path, "", "")
    for machine in (one, two):
        machine.write("zbuild.yaml", FILE + section)
    one.build(cache_from=(), cache_to=())
    assert "run" not in two.build(cache_from=(), cache_to=()).values()


def test_keys_of_awss_own_files(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _KEYS:
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text("[team]\naws_access_key_id = tests\naws_secret_access_key = tests\n")
    (tmp_path / "config").write_text(f"[profile team]\nregion = us-east-1\nendpoint_url = {s3}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    one, two = _machines(tmp_path, *[f"s3://{BUCKET}/{tmp_path.name}"] * 2)
    one.build()
    assert (one.warnings, "run" in two.build().values()) == ([], False)


def test_ctrl_c_does_not_wait_for_a_place_that_hangs(server: str, place: Callable[[str], str], tmp_path: Path) -> None:
    with run_faulty(server, lambda _method, _path: Fault(hang=60)) as address:
        (machine,) = _machines(tmp_path, place(address))
        argv = [sys.executable, "-m", "zbuild", "build", "--backend", "fake", "--cache-from", machine.place]
        process = subprocess.Popen(argv, cwd=machine.root, env=os.environ, stderr=subprocess.PIPE, text=True)
        time.sleep(3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, said = process.communicate(timeout=30)
    assert time.monotonic() - started < 5
    assert process.returncode == 130, said
    assert "Traceback" not in said


def test_ctrl_c_does_not_wait_for_what_is_being_brought(
    server: str, place: Callable[[str], str], tmp_path: Path
) -> None:
    def hang(method: str, _path: str) -> Fault | int:
        return Fault(hang=60) if method in ("PUT", "POST", "PATCH") else 0

    with run_faulty(server, hang) as address:
        (machine,) = _machines(tmp_path, place(address))
        argv = [sys.executable, "-m", "zbuild", "build", "--backend", "fake", "--cache-to", machine.place]
        process = subprocess.Popen(argv, cwd=machine.root, env=os.environ, stderr=subprocess.PIPE, text=True)
        time.sleep(4)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, said = process.communicate(timeout=30)
    assert time.monotonic() - started < 5
    assert process.returncode == 130, said
    assert "Traceback" not in said
