"""Fixtures of the backend's integration tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.base_registry import BaseRegistry
from support.buildah_store import BuildahStore
from support.lab import RecordingRunner
from support.monorepo import Monorepo
from support.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.lab import Lab


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuildahStore]:
    store = BuildahStore(tmp_path_factory.mktemp("buildah") / "s")
    yield store
    store.storage.remove()


@pytest.fixture
def buildah_store(shared_store: BuildahStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[BuildahStore]:
    """The shared store, for the time of a test."""
    for name, value in shared_store.storage.settings.items():
        monkeypatch.setenv(name, value)
    yield shared_store
    shared_store.close()


@pytest.fixture
def runner() -> RecordingRunner:
    return RecordingRunner()


@pytest.fixture
def buildah_lab(buildah_store: BuildahStore, tmp_path: Path, runner: RecordingRunner) -> Lab:
    """A backend in a workspace of the test's own; `runner` tells what it has called."""
    made = buildah_store.lab(tmp_path, runner)
    runner.called.clear()
    return made


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """The store that the bases of all tests come from."""
    made = Storage.create(tmp_path_factory.mktemp("elsewhere") / "s")
    BaseRegistry("", made).make_versions()
    yield made
    made.remove()


@pytest.fixture
def bases(registry: str, elsewhere: Storage) -> Iterator[BaseRegistry]:
    """A registry that notes what it is asked, and can go away."""
    made = BaseRegistry(registry, elsewhere)
    made.open()
    yield made
    made.go_away()


@pytest.fixture
def base_name(request: pytest.FixtureRequest) -> str:
    """A name for a base in the registry that is this test's own."""
    return f"bases/{request.node.originalname}:1"


@pytest.fixture
def on_base(tmp_path: Path, storage: Storage, bases: BaseRegistry, base_name: str) -> Monorepo:
    """A workspace of two images, of which `api` stands on the base."""
    (tmp_path / "auth.json").write_text("{}")
    environment = {**storage.environment, "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    made = Monorepo(tmp_path / "w", environment)
    made.write("zbuild.yaml", "images:\n  api: {context: api}\n  other: {context: other}\n")
    made.write("api/Dockerfile", f"FROM {bases.address}/{base_name}\nRUN echo $VERSION > /v\n")
    made.write("other/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
    return made
