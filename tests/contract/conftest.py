"""Every test of this folder runs on every backend, buildah with each way of RUN; what they share is made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.lab import DictMemory, Lab
from support.storage import Storage

from zbuild.backend.buildah.backend import BuildahBackend
from zbuild.backend.fake.backend import FakeBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from zbuild.backend.protocol import BaseImage


class Shared:
    """What one kind of backend keeps between tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, str] = {}
        self.storage: Storage | None = None
        self.memory = DictMemory()
        self.base: BaseImage | None = None


@pytest.fixture(
    scope="session",
    params=["fake", *(pytest.param(way, marks=pytest.mark.integration) for way in ("direct", "buildah"))],
)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    made = Shared(tmp_path_factory.mktemp(request.param))
    if request.param != "fake":
        made.storage = Storage.create(made.folder / "s")
        made.settings = {**made.storage.settings, "ZBUILD_RUN": request.param}
    yield made
    if made.storage:
        made.storage.remove()


@pytest.fixture
def new_backend(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], BuildahBackend | FakeBackend]]:
    """A function that opens the backend, as each run of zbuild does; all are closed at the end."""
    opened: list[BuildahBackend | FakeBackend] = []
    for name, value in shared.settings.items():
        monkeypatch.setenv(name, value)

    def make() -> BuildahBackend | FakeBackend:
        if shared.storage:
            opened.append(BuildahBackend(tmp_path, tmp_path / ".zbuild", shared.memory))
        else:
            opened.append(FakeBackend(shared.folder))
        return opened[-1]

    yield make
    for backend in opened:
        backend.close()


@pytest.fixture
def lab(shared: Shared, new_backend: Callable[[], BuildahBackend | FakeBackend], tmp_path: Path) -> Lab:
    made = Lab(new_backend(), tmp_path)
    if shared.base is None:
        shared.base = made.make_base()
        made.events.clear()
    made.base = shared.base
    return made
