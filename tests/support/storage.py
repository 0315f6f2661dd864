"""A container store of a test's own, so that no test sees or harms another's images, or the user's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """\
[storage]
driver = "overlay"
graphroot = "{root}/graph"
runroot = "{root}/run"
"""


@dataclass(frozen=True)
class Storage:
    """A store under `root`; whatever runs with `environment` uses it."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> Storage:
        root.mkdir(parents=True)
        (root / "storage.conf").write_text(_CONFIG.format(root=root))
        return cls(root)

    @property
    def settings(self) -> dict[str, str]:
        return {"CONTAINERS_STORAGE_CONF": str(self.root / "storage.conf")}

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self.settings

    def buildah(self, *arguments: str | Path) -> str:
        """Run buildah on this store and return what it printed; raises CalledProcessError."""
        argv = ["buildah", *map(str, arguments)]
        done = subprocess.run(argv, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def images(self) -> dict[str, str]:
        """Return every name in the store with its image's id."""
        listed = json.loads(self.buildah("images", "--json", "--no-trunc") or "[]")
        return {name: image["id"].removeprefix("sha256:") for image in listed for name in image.get("names") or ()}

    def containers(self) -> list[str]:
        """Return the ids of all working containers."""
        return [item["id"] for item in json.loads(self.buildah("containers", "--json") or "null") or ()]

    def read(self, image: str, path: str) -> str:
        """Return the text of a file of an image, without the end of its last line."""
        container = self.buildah("from", "--pull-never", image)
        try:
            return self.read_in(container, path)
        finally:
            self.buildah("rm", container)

    def read_in(self, container: str, path: str) -> str:
        """Return the text of a file of a working container: `buildah run` may lose output on a busy machine."""
        return (Path(self.buildah("mount", container)) / path.lstrip("/")).read_text().rstrip("\n")

    def import_busybox(self, name: str) -> str:
        """Make the smallest base image that can run something; return its id."""
        container = self.buildah("from", "scratch")
        self.buildah("copy", "--quiet", container, shutil.which("busybox") or "busybox", "/bin/busybox")
        self.buildah("run", "--isolation", "chroot", container, "/bin/busybox", "--install", "-s", "/bin")
        self.buildah("config", "--env", "PATH=/bin", "--cmd", "/bin/sh", container)
        return self.buildah("commit", "--quiet", "--rm", container, name)

    def remove(self) -> None:
        """Unmount what is mounted and remove the store; images of layers need no more than their folders gone."""
        self.buildah("rm", "--all")
        shutil.rmtree(self.root, ignore_errors=True)
