"""Fixtures for all tests, and two rules: unit tests stay in their process, and who uses real tools is marked."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.guard import Guard
from support.registry import run_registry
from support.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "localhost/test/base:1"
_TESTS = Path(__file__).parent
_TOOLS = {"storage", "base_image", "registry"}
_guard = Guard()

# Started in the background (by CI, nohup, a shell's &), signals may be ignored from the start, and what tests start
# would inherit that: they are to meet signals as a terminal's programs do.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _signum in (signal.SIGHUP, signal.SIGTERM):
    signal.signal(_signum, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _folder(item) == "integration" or _TOOLS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)


def _folder(item: pytest.Item) -> str:
    path = item.path
    return path.relative_to(_TESTS).parts[0] if path.is_relative_to(_TESTS) else ""


@pytest.fixture(autouse=True)
def _stay_in_process(request: pytest.FixtureRequest) -> Iterator[None]:
    _guard.test = request.node.nodeid if _folder(request.node) == "unit" else ""
    yield
    _guard.test = ""


@pytest.fixture
def storage(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """A container store of the test's own, which everything it starts uses."""
    made = Storage.create(tmp_path_factory.mktemp("store") / "s")
    for name, value in made.settings.items():
        monkeypatch.setenv(name, value)
    yield made
    made.remove()


@pytest.fixture
def base_image(storage: Storage) -> str:
    """The name of a base image in the test's store that has busybox and nothing else."""
    storage.import_busybox(BASE)
    return BASE


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a registry on loopback, without TLS; tests use repositories of their own in it."""
    with run_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address
