"""Fixtures of the backend's integration tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.buildah_store import BuildahStore
from support.lab import RecordingRunner

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
