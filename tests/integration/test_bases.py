"""Base images of a registry: asked for seldom, pulled when they must be, and noticed when they move."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.base_registry import BaseRegistry
from support.monorepo import Monorepo
from support.registry import PASSWORD, USER, run_registry
from support.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator

TWO_IMAGES = "images:\n  api: {context: api}\n  other: {context: other}\n"


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """The store that the bases of all tests come from."""
    made = Storage.create(tmp_path_factory.mktemp("elsewhere") / "s")
    BaseRegistry("", made).make_versions()
    yield made
    made.remove()


@pytest.fixture
def bases(registry: str, elsewhere: Storage) -> Iterator[BaseRegistry]:
    made = BaseRegistry(registry, elsewhere)
    made.open()
    yield made
    made.go_away()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name in the registry that is this test's own."""
    return f"bases/{request.node.originalname}:1"


@pytest.fixture
def repo(tmp_path: Path, storage: Storage, bases: BaseRegistry, name: str) -> Monorepo:
    """Two images, of which `api` stands on the base."""
    (tmp_path / "auth.json").write_text("{}")
    environment = {**storage.environment, "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    made = Monorepo(tmp_path / "w", environment)
    made.write("zbuild.yaml", TWO_IMAGES)
    made.write("api/Dockerfile", f"FROM {bases.address}/{name}\nRUN echo $VERSION > /v\n")
    made.write("other/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
    return made


def let_an_hour_pass(repo: Monorepo) -> None:
    """Make what was noted of bases as old as it would be then, and forget what the last command saw."""
    for note in (repo.root / ".zbuild/fetched").glob("*.json"):
        told = json.loads(note.read_text())
        if "asked" in told:
            note.write_text(json.dumps(told | {"asked": str(float(told["asked"]) - 3600)}))
    for stamp in (repo.root / ".zbuild/plan").glob("*.stamp"):
        stamp.unlink()


def heads(asked: list[tuple[str, str]]) -> int:
    return sum(method == "HEAD" and "/manifests/" in path for method, path in asked)


def test_a_registry_is_asked_once_an_hour(repo: Monorepo, bases: BaseRegistry, name: str) -> None:
    bases.push("one", name)
    assert repo.build()["api/0"] == "run"
    assert heads(bases.answers()) >= 1
    for attempt in ("noted", "by the stamp"):
        assert "2 images up to date" in repo.zbuild("build").stderr, attempt
    repo.write("other/more", "x")
    assert set(repo.build().values()) == {"cached"}
    assert bases.answers() == []
    let_an_hour_pass(repo)
    assert set(repo.build().values()) == {"cached"}
    assert bases.answers() == [("HEAD", f"/v2/{name.replace(':', '/manifests/')}")]
    assert set(repo.build().values()) == {"cached"}
    assert bases.answers() == []


def test_only_what_stands_on_a_base_that_moved_runs_again(repo: Monorepo, bases: BaseRegistry, name: str) -> None:
    old = bases.push("one", name)
    repo.build()
    new = bases.push("two", name)
    assert set(repo.build().values()) == {"cached"}
    let_an_hour_pass(repo)
    bases.answers()
    told = repo.zbuild("explain", "api").stdout
    assert f"api: run: its base {bases.address}/{name} moved" in told
    assert f"  FROM {bases.address}/{name}\n    base: {old} -> {new}" in told
    assert repo.plan() == {"api/0": "run", "other/0": "cached"}
    assert repo.build() == {"api/0": "run", "other/0": "cached"}
    assert "2 images up to date" in repo.zbuild("build").stderr


@pytest.mark.parametrize("flags", [["--pull"], ["--pull=always"], ["--pull", "always"]])
def test_pull_asks_at_once(repo: Monorepo, bases: BaseRegistry, name: str, flags: list[str]) -> None:
    bases.push("one", name)
    repo.build()
    bases.push("two", name)
    assert repo.build(*flags, "api") == {"api/0": "run"}
    bases.answers()
    assert repo.build(*flags, "api") == {"api/0": "cached"}
    assert heads(bases.answers()) == 1


def test_offline_what_is_here_is_used(repo: Monorepo, bases: BaseRegistry, name: str) -> None:
    bases.push("one", name)
    repo.build()
    bases.go_away()
    let_an_hour_pass(repo)
    repo.write("api/Dockerfile", (repo.root / "api/Dockerfile").read_text() + "RUN true\n")
    ended = repo.zbuild("build")
    assert ended.code == 0
    assert ended.stderr.count("; the images that are here are used") == 1
    ended = repo.zbuild("build", "--pull")
    assert (ended.code, name in ended.stderr) == (4, True)


@pytest.mark.parametrize("policy", ["newer", "missing"])
def test_offline_a_base_that_is_not_here_is_an_error_at_its_place(
    repo: Monorepo, bases: BaseRegistry, policy: str
) -> None:
    bases.go_away()
    ended = repo.zbuild("build", f"--pull={policy}")
    assert ended.code == 4
    assert "api/Dockerfile:1:6: error[" in ended.stderr


def test_a_refusal_fails_at_once(repo: Monorepo, bases: BaseRegistry, name: str) -> None:
    bases.push("one", name)
    for status, code in ((401, "registry-denied"), (403, "registry-denied"), (404, "not-in-registry")):
        bases.faults["/manifests/"] = status
        bases.answers()
        ended = repo.zbuild("build", "api")
        assert (ended.code, f"error[{code}]" in ended.stderr) == (4, True), ended.stderr
        assert heads(bases.answers()) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_registry_in_trouble_is_asked_again(repo: Monorepo, bases: BaseRegistry, name: str, status: int) -> None:
    bases.push("one", name)
    bases.faults["/manifests/"] = status
    bases.passing = 2
    assert repo.build("api") == {"api/0": "run"}
    assert heads(bases.answers()) >= 3


def test_one_base_of_many_images_is_asked_for_once(repo: Monorepo, bases: BaseRegistry, name: str) -> None:
    bases.push("one", name)
    names = [f"i{number}" for number in range(10)]
    repo.write("zbuild.yaml", "images:\n" + "".join(f"  {one}: {{context: {one}}}\n" for one in names))
    for one in names:
        repo.write(
            f"{one}/Dockerfile",
            f"FROM {bases.address}/{name} AS a\nCOPY Dockerfile /a\n"
            f"FROM {bases.address}/{name}\nCOPY --from={bases.address}/{name} /bin/sh /{one}\n"
            "COPY --from=a /a /\n",
        )
    assert set(repo.build("-j8").values()) == {"run"}
    asked = bases.answers()
    assert asked.count(("HEAD", f"/v2/{name.replace(':', '/manifests/')}")) == 1
    blobs = [one for one in asked if "/blobs/" in one[1]]
    assert len(blobs) == len(set(blobs)) + 1, "the configuration alone is fetched twice: to plan, and with the layers"


def test_an_index_means_the_manifest_of_the_platform(repo: Monorepo, bases: BaseRegistry, name: str) -> None:
    digest = bases.push_index("one", name)
    assert repo.build("api") == {"api/0": "run"}
    repo.zbuild("lock")
    assert f"digest: {digest}" in (repo.root / "zbuild.lock").read_text()
    assert repo.build("api") == {"api/0": "cached"}


def test_a_registry_that_wants_a_password_gets_it(
    repo: Monorepo, elsewhere: Storage, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    with run_registry(tmp_path_factory.mktemp("closed"), closed=True) as closed:
        source, target = "localhost/version/one:1", f"docker://{closed}/{name}"
        elsewhere.buildah("push", "-q", "--tls-verify=false", "--creds", f"{USER}:{PASSWORD}", source, target)
        repo.write("api/Dockerfile", f"FROM {closed}/{name}\nRUN true\n")
        ended = repo.zbuild("build", "api")
        assert (ended.code, "error[registry-denied]" in ended.stderr) == (4, True)
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        Path(repo.environment["REGISTRY_AUTH_FILE"]).write_text(json.dumps({"auths": {closed: {"auth": auth}}}))
        assert repo.build("api") == {"api/0": "run"}


def test_what_copies_from_an_image_follows_it(repo: Monorepo, bases: BaseRegistry, name: str) -> None:
    bases.push("one", name)
    repo.write("api/Dockerfile", f"FROM scratch\nCOPY --from={bases.address}/{name} /bin/busybox /b\n")
    repo.build("api")
    bases.push("two", name)
    assert repo.build("--pull", "api") == {"api/0": "run"}


def test_a_base_that_left_the_store_during_the_build_is_pulled_again(
    repo: Monorepo, bases: BaseRegistry, name: str, storage: Storage
) -> None:
    bases.push("one", name)
    repo.build("api")
    storage.buildah("rmi", "--all", "--force")
    assert repo.build("api") == {"api/0": "run"}
