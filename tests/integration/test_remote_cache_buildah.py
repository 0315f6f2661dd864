"""A second machine: another store, another checkout in another folder, an empty .zbuild."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.lab import DictMemory
from support.storage import Storage

from zbuild.backend.buildah.backend import BuildahBackend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FILE = """\
images:
  app:
    tags: ["localhost/t/app:1"]
    stages:
      builder: {base: "localhost/t/base:1", steps: [{run: "echo built > /out"}, {copy: src, to: /src}]}
      final: {base: "localhost/t/base:1", steps: [{copy: /out, from: builder, to: /}, {run: "ln /out /hard"}]}
  lib: {base: "localhost/t/base:1", format: docker, healthcheck: {cmd: "true"}, steps: [{copy: lib, to: /}]}
"""


class Computer:
    """A store and a checkout of its own."""

    def __init__(self, folder: Path, base: Path, digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
        folder.mkdir()
        self.storage = Storage.create(folder / "s")
        self.root = folder / f"checkout-{folder.name}"
        (self.root / "src").mkdir(parents=True)
        (self.root / "src/a").write_text("a")
        (self.root / "lib").write_text("lib")
        (self.root / "zbuild.yaml").write_text(_FILE)
        for name, value in self.storage.settings.items():
            monkeypatch.setenv(name, value)
        backend = BuildahBackend(self.root, folder, DictMemory())
        backend.load(base, digest, "base", ["localhost/t/base:1"])
        backend.close()

    def build(self, *arguments: str, **environment: str) -> dict[str, str]:
        """Build by the command line, and return what became of each stage."""
        metadata = self.root / ".." / "metadata.json"
        argv = [sys.executable, "-m", "zbuild", "build", "--metadata-file", str(metadata), *arguments]
        done = subprocess.run(
            argv,
            cwd=self.root,
            env={**self.storage.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self.said = done.stderr
        assert done.returncode == 0, self.said
        images = json.loads(metadata.read_text())["images"]
        return {f"{name}/{stage['name']}": stage["action"] for name in images for stage in images[name]["stages"]}

    def ids(self) -> dict[str, str]:
        return {name: found for name, found in self.storage.images().items() if "/t/" in name}


@pytest.fixture
def computers(
    storage: Storage, base_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Computer]]:
    """Two computers with the same base image."""
    backend = BuildahBackend(tmp_path, tmp_path, DictMemory())
    (digest,) = backend.export([storage.images()[base_image]], tmp_path / "base")
    backend.close()
    found = [Computer(tmp_path / name, tmp_path / "base", digest, monkeypatch) for name in ("one", "two")]
    yield found
    for computer in found:
        computer.storage.remove()


def test_a_second_machine_runs_nothing(computers: list[Computer], tmp_path: Path) -> None:
    one, two = computers
    place = str(tmp_path / "cache")
    assert set(one.build("--cache-to", place).values()) == {"run"}
    actions = two.build("--cache-from", place)
    assert "run" not in actions.values()
    assert two.ids() == one.ids()
    assert "started" not in two.said


def test_base_layers_are_there_once_and_come_only_where_they_lack(computers: list[Computer], tmp_path: Path) -> None:
    one, two = computers
    place = tmp_path / "cache"
    one.build("--cache-to", str(place))
    layers = {path.name for path in place.glob("layers/*/*")}
    assert len(layers) == 4  # the base, builder, final, lib
    base = max(place.glob("layers/*/*"), key=lambda path: path.stat().st_size)
    base.unlink()  # the second machine has it
    assert "run" not in two.build("--cache-from", str(place)).values()


def test_a_stage_that_changed_runs_on_what_was_pulled(computers: list[Computer], tmp_path: Path) -> None:
    one, two = computers
    place = str(tmp_path / "cache")
    one.build("--cache-to", place)
    (two.root / "zbuild.yaml").write_text(_FILE.replace("ln /out /hard", "ln /out /harder"))
    actions = two.build("--cache-from", place, "app")
    assert actions == {"app/builder": "pulled", "app/final": "run"}
    assert two.build("--cache-from", place, "app") == {"app/builder": "cached", "app/final": "cached"}
