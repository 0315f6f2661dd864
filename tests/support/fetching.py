"""A workspace of one image that fetches things, built in the fake backend's store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from support.monorepo import Monorepo

if TYPE_CHECKING:
    from pathlib import Path

    from support.monorepo import Ended


class Fetching(Monorepo):
    """`put` writes the image's instructions, `result` builds it."""

    @classmethod
    def start_in(cls, root: Path) -> Fetching:
        root.mkdir()
        return cls(root, os.environ | {"ZBUILD_BACKEND": "fake", "NO_PROXY": "127.0.0.1"})

    def put(self, *instructions: str) -> None:
        self.write("zbuild.yaml", "images:\n  a: {context: ., file: Dockerfile}\n")
        self.write("Dockerfile", "\n".join(["FROM scratch", *instructions, ""]))

    def result(self) -> str:
        """Build, and return what became of the stage: `run` or `cached`."""
        return self.build()["a/0"]

    def tree(self) -> Path:
        """Return the folder of the image that was built last."""
        folder = self.root / ".zbuild/fake/images"
        images = [path for path in folder.iterdir() if path.is_dir() and path.name != "layers"]
        return max(images, key=lambda path: path.stat().st_mtime_ns)

    def failed(self, *arguments: str) -> Ended:
        """Build, which must fail."""
        ended = self.zbuild("build", "--progress", "plain", *arguments)
        assert ended.code != 0
        return ended
