"""Lists put together by hand, from images of the store and of a registry."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from support.faulty_registry import run_faulty
from support.registry import run_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.storage import Storage


@pytest.fixture
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_registry(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture(autouse=True)
def images(storage: Storage, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One image in the store, one for another platform in a registry alone."""
    (tmp_path / "auth.json").write_text("{}")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    for platform in ("amd64", "s390x"):
        container = storage.buildah("from", "--platform", f"linux/{platform}", "scratch")
        storage.buildah("commit", "-q", "--rm", container, f"localhost/t/{platform}:1")
    storage.buildah("push", "-q", "--tls-verify=false", "localhost/t/s390x:1", f"docker://{address}/s390x:1")
    storage.buildah("rmi", "localhost/t/s390x:1")


def zbuild(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "zbuild", "manifest", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def platforms(text: str) -> list[str]:
    return [item["platform"]["architecture"] for item in json.loads(text)["manifests"]]


def test_a_list_is_made_shown_and_pushed(address: str) -> None:
    made = zbuild("create", "t/list:1", "t/amd64:1", f"{address}/s390x:1")
    assert (made.stdout, made.stderr) == ("localhost/t/list:1\n", "")
    assert platforms(zbuild("inspect", "t/list:1").stdout) == ["amd64", "s390x"]
    nowhere = zbuild("push", "t/list:1")
    assert (nowhere.returncode, "error[no-registry]" in nowhere.stderr) == (2, True)
    pushed = zbuild("push", "t/list:1", f"{address}/list:1")
    assert pushed.stdout.startswith(f"{address}/list:1@sha256:")
    assert platforms(zbuild("inspect", f"{address}/list:1").stdout) == ["amd64", "s390x"]
    argv = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{pushed.stdout.strip()}".replace(":1@", "@")]
    for item in json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)["manifests"]:
        one = ["skopeo", "inspect", "--tls-verify=false", f"docker://{address}/list@{item['digest']}"]
        assert json.loads(subprocess.run(one, check=True, capture_output=True).stdout)["Architecture"] in (
            "amd64",
            "s390x",
        )


def test_an_image_can_be_added_for_another_platform(address: str) -> None:
    zbuild("create", f"{address}/list:2")
    added = zbuild("add", f"{address}/list:2", "t/amd64:1", "--platform", "linux/arm/v6", "--annotation", "a=b")
    assert added.returncode == 0, added.stderr
    (entry,) = json.loads(zbuild("inspect", f"{address}/list:2").stdout)["manifests"]
    assert entry["platform"] == {"architecture": "arm", "os": "linux", "variant": "v6"}


def test_a_name_that_is_taken_is_refused_unless_it_is_to_be_amended() -> None:
    zbuild("create", "t/list:3")
    again = zbuild("create", "t/list:3")
    assert (again.returncode, "error[name-taken]" in again.stderr) == (2, True)
    assert zbuild("create", "--amend", "t/list:3", "t/amd64:1").returncode == 0
    assert platforms(zbuild("inspect", "t/list:3").stdout) == ["amd64"]


def test_a_list_that_cannot_be_made_whole_is_not_made() -> None:
    assert zbuild("create", "t/list:7", "t/amd64:1", "127.0.0.1:9/none:1").returncode == 4
    assert zbuild("inspect", "t/list:7").returncode == 2
    made = zbuild("create", "t/list:7", "t/amd64:1")
    assert made.returncode == 0, made.stderr
    assert zbuild("create", "--amend", "t/list:7", "t/none:1").returncode == 2
    assert platforms(zbuild("inspect", "t/list:7").stdout) == ["amd64"]


def test_a_registry_that_does_not_answer_is_told_at_once() -> None:
    zbuild("create", "t/list:8", "t/amd64:1")
    began = time.monotonic()
    ended = zbuild("push", "t/list:8", "127.0.0.1:9/a/b:1")
    assert (ended.returncode, time.monotonic() - began < 15) == (4, True)
    assert "error[registry-unreachable]: cannot push 127.0.0.1:9/a/b:1: the registry does not answer" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("add", "t/none:1", "t/amd64:1"), 2, "error[no-list]: there is no list named localhost/t/none:1"),
        (("push", "t/none:1", "r.example/x"), 2, "error[no-list]"),
        (("inspect", "t/none:1"), 2, "error[no-list]"),
        (("create", "t/list:4", "t/none:1"), 2, "error[image-missing]: there is no image localhost/t/none:1"),
        (("create", "t/list:5", "127.0.0.1:9/none:1"), 4, "error[registry-unreachable]: cannot add 127.0.0.1:9/none:1"),
        (("add", "t/list:1", "t/amd64:1", "--platform", "a/b/c/d"), 2, "'a/b/c/d' is not a platform"),
        (("add", "t/list:1", "t/amd64:1", "--platform", "garbage"), 2, "'garbage' is neither an os nor"),
    ],
)
def test_what_cannot_be_is_told(arguments: tuple[str, ...], code: int, told: str) -> None:
    ended = zbuild(*arguments)
    assert (ended.returncode, told in ended.stderr) == (code, True), ended.stderr


def test_a_busy_registry_is_asked_again(address: str) -> None:
    left = [429, 503]

    def fault(method: str, path: str) -> int:
        return left.pop() if left and method == "PUT" and "/manifests/" in path else 0

    with run_faulty(address, fault) as faulty:
        assert zbuild("create", f"{faulty}/list:6", "t/amd64:1").returncode == 0
        assert zbuild("push", f"{faulty}/list:6").returncode == 0
    assert left == []
