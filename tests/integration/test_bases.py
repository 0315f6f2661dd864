"""Base images of a registry: asked for seldom, pulled when they must be, and noticed when they move."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.base_registry import BaseRegistry
from support.monorepo import Monorepo
from support.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    assert not any("/blobs/" in path for _, path in bases.answers()[1:-1] if "x" in path)
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
