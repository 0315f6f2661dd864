"""Machines that share results: checkouts of the same files in other folders, each with a fake backend's store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zbuild.api.options import BuildOptions
from zbuild.api.workspace import Workspace
from zbuild.events.types import Notice

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.events.types import Event

FILE = """\
images:
  app:
    tags: ["t/app:1"]
    stages:
      builder: {base: scratch, steps: [{run: [write, /out, built]}, {copy: source.txt, to: /}]}
      final: {base: scratch, steps: [{copy: /out, from: builder, to: /}, {run: [write, /two, more]}]}
      on-it: {base: final, steps: [{run: [write, /three, three]}]}
  other: {base: scratch, steps: [{copy: other.txt, to: /}]}
"""


class Machine:
    """A checkout, which reads from a place and writes to it."""

    def __init__(self, root: Path, place: str) -> None:
        self.root = root
        self.place = place
        self.events: list[Event] = []
        root.mkdir()
        self.write("zbuild.yaml", FILE)
        self.write("source.txt", "1")
        self.write("other.txt", "1")

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def options(self, **more: Any) -> BuildOptions:
        return BuildOptions(**{"backend": "fake", "cache_from": (self.place,), "cache_to": (self.place,)} | more)

    def build(self, *targets: str, **more: Any) -> dict[str, str]:
        """Build, and return what became of each stage."""
        self.events.clear()
        report = Workspace(self.root).build(targets, self.options(**more), self.events.append)
        return {f"{image.name}/{stage.name}": stage.action for image in report.images for stage in image.stages}

    def plan(self, *targets: str, **more: Any) -> dict[str, tuple[str, str]]:
        plan = Workspace(self.root).plan(targets, self.options(**more))
        return {stage.id: (stage.action, stage.reason) for stage in plan.stages}

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Notice) and event.level == "warning"]

    def image(self, name: str) -> Path:
        """Return the files of an image."""
        images = json.loads((self.root / ".zbuild/fake/images/images.json").read_text())
        (found,) = [image["id"] for image in images if any(name in given for given in image["names"])]
        return self.root / ".zbuild/fake/images" / found
