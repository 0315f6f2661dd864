"""Images on their way out: real registries, judged by skopeo and by a second store."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from support.faulty_registry import run_faulty
from support.monorepo import Monorepo
from support.registry import PASSWORD, USER, run_registry
from support.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.monorepo import Ended

IMAGES = """\
images:
  base: {context: base, tags: ["t/base:1"]}
  api: {context: api, tags: ["REGISTRY/api:1", "REGISTRY/api:latest", "t/api:1"]}
  web: {context: web, tags: ["REGISTRY/web:1"]}
"""


@pytest.fixture
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty registry that anybody may write to."""
    with run_registry(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that wants a user and password."""
    with run_registry(tmp_path_factory.mktemp("closed"), closed=True) as made:
        yield made


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    (tmp_path / "w").mkdir()
    (tmp_path / "auth.json").write_text("{}")  # buildah builds nothing when it is not there
    environment = {**storage.environment, "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    made = Monorepo.create(tmp_path / "w", environment=environment)
    made.write("api/Dockerfile", "FROM t/base:1\nCOPY main.txt /app/\n")
    return made


def pushes_to(repo: Monorepo, registry: str, *, after_all: bool = False) -> None:
    repo.write("zbuild.yaml", IMAGES.replace("REGISTRY", registry) + (AFTER_ALL if after_all else ""))


AFTER_ALL = "push: {after_all: true}\n"


def skopeo(*arguments: str) -> str:
    return subprocess.run(["skopeo", *arguments], check=True, capture_output=True, text=True).stdout


def inspect(reference: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{reference}"))
    return found


def tags_of(repository: str) -> list[str]:
    """Return a repository's tags, none where there is no repository."""
    argv = ["skopeo", "list-tags", "--tls-verify=false", f"docker://{repository}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return sorted(json.loads(done.stdout)["Tags"] or ()) if done.returncode == 0 else []


def digests(ended: Ended) -> dict[str, str]:
    assert ended.code == 0, ended.stderr
    return dict(line.split("@") for line in ended.stdout.splitlines())


@pytest.mark.parametrize("after_all", [False, True])
def test_what_is_pushed_is_what_was_built(
    repo: Monorepo, address: str, storage: Storage, tmp_path: Path, *, after_all: bool
) -> None:
    pushes_to(repo, address, after_all=after_all)
    repo.build()
    ended = repo.zbuild("push", "api", "web")
    pushed = digests(ended)
    assert set(pushed) == {f"{address}/api:1", f"{address}/api:latest", f"{address}/web:1"}
    assert "no registry is named: localhost/t/api:1" in ended.stderr
    assert {name: inspect(name)["Digest"] for name in pushed} == pushed
    second = Storage.create(tmp_path / "second")
    try:
        pulled = {name: second.buildah("pull", "-q", "--tls-verify=false", f"docker://{name}") for name in pushed}
        here = storage.images()
        assert pulled == {name: here[name] for name in pushed}
    finally:
        second.remove()
    assert list((repo.root / ".zbuild").glob("push*")) == []


def test_build_pushes_what_it_built_each_time(repo: Monorepo, address: str) -> None:
    pushes_to(repo, address)
    repo.build("web", "--push", "--tag", f"{address}/web:given")
    told = json.loads((repo.root / "metadata.json").read_text())["pushed"]
    assert {tag["reference"]: tag["digest"] for tag in told} == {
        name: inspect(name)["Digest"] for name in (f"{address}/web:1", f"{address}/web:given")
    }
    assert {tag["image"] for tag in told} == {"web"}
    assert tags_of(f"{address}/api") == []
    assert repo.build("web", "--push").get("web/0") == "cached"
    assert json.loads((repo.root / "metadata.json").read_text())["pushed"]


def test_nothing_is_pushed_when_a_build_fails(repo: Monorepo, address: str) -> None:
    pushes_to(repo, address)
    repo.write("api/Dockerfile", "FROM t/base:1\nRUN false\n")
    assert repo.zbuild("build", "--push", "-k").code == 1
    assert tags_of(f"{address}/web") == []


def test_what_is_not_up_to_date_is_not_pushed(repo: Monorepo, address: str) -> None:
    pushes_to(repo, address)
    repo.build("api")
    repo.write("api/main.txt", "changed\n")
    ended = repo.zbuild("push", "api", "web")
    assert ended.code == 2
    assert "error[not-built]: not up to date: api" in ended.stderr
    assert "web (never built here)" in ended.stderr
    assert "hint: build first: 'zbuild build api web'" in ended.stderr
    assert tags_of(f"{address}/api") == []


def test_no_tag_is_set_before_every_image_is_there(repo: Monorepo, address: str) -> None:
    seen: list[str] = []

    def fault(method: str, path: str) -> int:
        if method == "PUT" and "/manifests/" in path:
            seen.append(path)
        return 403 if path.startswith("/v2/web/") else 0

    with run_faulty(address, fault) as faulty:
        pushes_to(repo, faulty, after_all=True)
        repo.build()
        ended = repo.zbuild("push")
        assert ended.code == 4
        assert f"cannot push {faulty}/web" in ended.stderr
    (path,) = seen
    assert path.startswith("/v2/api/manifests/sha256:")
    assert tags_of(f"{address}/api") == []
    skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{address}/api@{path.rpartition('/')[2]}")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("after_all", [False, True])
def test_a_busy_registry_is_asked_again(repo: Monorepo, address: str, status: int, *, after_all: bool) -> None:
    left = [status, status]

    def fault(method: str, path: str) -> int:
        return left.pop() if left and method == "PUT" and "/manifests/" in path else 0

    with run_faulty(address, fault) as faulty:
        pushes_to(repo, faulty, after_all=after_all)
        repo.build("web")
        assert digests(repo.zbuild("push", "web")) == {f"{faulty}/web:1": inspect(f"{address}/web:1")["Digest"]}
    assert left == []


def test_a_login_is_wanted_kept_and_forgotten(repo: Monorepo, closed: str, tmp_path: Path) -> None:
    pushes_to(repo, closed)
    repo.build("web")
    ended = repo.zbuild("push", "web")
    assert ended.code == 4
    assert f"error[registry-denied]: cannot push {closed}/web:1: the registry refuses this user" in ended.stderr
    assert f"zbuild login {closed}" in ended.stderr

    wrong = login(repo, closed, "wrong")
    assert (wrong.returncode, "does not accept this user and password" in wrong.stderr) == (4, True)
    assert "wrong" not in wrong.stdout + wrong.stderr
    assert login(repo, closed, PASSWORD).returncode == 0
    assert (tmp_path / "auth.json").stat().st_mode & 0o077 == 0
    (reference,) = digests(repo.zbuild("push", "web"))
    assert skopeo("inspect", "--tls-verify=false", "--creds", f"{USER}:{PASSWORD}", f"docker://{reference}")

    assert repo.zbuild("logout", closed).code == 0
    assert repo.zbuild("push", "web").code == 4
    again = repo.zbuild("logout", closed)
    assert (again.code, "error[not-logged-in]" in again.stderr) == (4, True)


def login(repo: Monorepo, registry: str, password: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "zbuild", "login", registry, "-u", USER, "--password-stdin"]
    return subprocess.run(
        argv, env=repo.environment, input=f"{password}\n", capture_output=True, text=True, check=False
    )


def docker_file(home: Path, registry: str) -> dict[str, str]:
    """Credentials as docker keeps them without a helper."""
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (home / ".docker").mkdir(parents=True)
    (home / ".docker/config.json").write_text(json.dumps({"auths": {registry: {"auth": encoded}}}))
    return {}


def docker_helper(home: Path, registry: str) -> dict[str, str]:
    """Credentials that a helper of docker's knows."""
    (home / ".docker").mkdir(parents=True)
    (home / ".docker/config.json").write_text(json.dumps({"credHelpers": {registry: "test"}}))
    answer = json.dumps({"ServerURL": registry, "Username": USER, "Secret": PASSWORD})
    helper = home / "bin/docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(f"#!/bin/sh\ncat >/dev/null\nprintf '%s' '{answer}'\n")
    helper.chmod(0o755)
    return {"PATH": f"{helper.parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("after_all", [False, True])
@pytest.mark.parametrize("keep", [docker_file, docker_helper])
def test_what_docker_knows_is_found(
    repo: Monorepo, closed: str, tmp_path: Path, keep: Callable[[Path, str], dict[str, str]], *, after_all: bool
) -> None:
    pushes_to(repo, closed, after_all=after_all)
    repo.build("web")
    del repo.environment["REGISTRY_AUTH_FILE"]
    settings = keep(tmp_path / "home", closed)
    runtime = str(tmp_path / "no-runtime")
    ended = repo.zbuild("push", "web", HOME=str(tmp_path / "home"), XDG_RUNTIME_DIR=runtime, **settings)
    assert set(digests(ended)) == {f"{closed}/web:1"}


@pytest.mark.parametrize(
    ("registry", "code"),
    [("127.0.0.1:9", "registry-unreachable"), ("nowhere.invalid", "registry-unknown")],
)
def test_a_registry_that_is_not_there(repo: Monorepo, registry: str, code: str) -> None:
    pushes_to(repo, registry)
    repo.build("web")
    ended = repo.zbuild("push", "web")
    assert ended.code == 4
    assert f"error[{code}]: cannot push {registry}/web:1: " in ended.stderr
    assert "hint: " in ended.stderr


def test_a_signal_leaves_nothing(repo: Monorepo, address: str) -> None:
    asked: list[str] = []

    def hang(method: str, path: str) -> int:
        asked.append(method + path)
        time.sleep(8)
        return 500

    with run_faulty(address, hang) as faulty:
        pushes_to(repo, faulty, after_all=True)
        repo.build("web")
        process = repo.start("push", "web")
        deadline = time.monotonic() + 60
        while not asked and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert asked
    assert list((repo.root / ".zbuild").glob("push*")) == []


def test_an_image_gets_further_names(repo: Monorepo, storage: Storage) -> None:
    repo.build("web")
    assert repo.zbuild("tag", "web", "t/web:more", "registry.example/t/web").code == 0
    images = storage.images()
    names = ("localhost/t/web:1", "localhost/t/web:more", "registry.example/t/web:latest")
    assert len({images[name] for name in names}) == 1
    repo.write("web/page.html", "changed")
    stale = repo.zbuild("tag", "web", "t/web:late")
    assert (stale.code, "error[not-built]" in stale.stderr) == (2, True)
    many = repo.zbuild("tag", "*", "t/web:many")
    assert (many.code, "error[tag-of-many]" in many.stderr) == (2, True)
