"""A small monorepo of a test's own, and the real `zbuild` run in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_FILES = {
    "zbuild.yaml": """\
images:
  base: {context: base, tags: ["t/base:1"]}
  api: {context: api, tags: ["t/api:1", "t/api:latest"]}
  web: {context: web, tags: ["t/web:1"]}
""",
    "base/ZImagefile": """\
base: scratch
steps:
  - copy: busybox
    to: /bin/busybox
  - run: [/bin/busybox, --install, -s, /bin]
env: {PATH: /bin}
""",
    # The builder strips comments, so that a comment leaves what it makes as it was.
    "api/Dockerfile": """\
FROM t/base:1 AS builder
WORKDIR /src
COPY main.txt .
RUN grep -v '^#' main.txt > /out.txt
FROM t/base:1
COPY --from=builder /out.txt /app/
CMD ["cat", "/app/out.txt"]
""",
    "api/main.txt": "# a comment\nhello\n",
    "web/ZImagefile": """\
build: ../base
steps:
  - copy: page.html
    to: /www/
""",
    "web/page.html": "<p>web\n",
}


@dataclass
class Monorepo:
    """A workspace; `zbuild` runs the real command in it and returns how it ended."""

    root: Path
    environment: dict[str, str]

    @classmethod
    def create(cls, root: Path, environment: dict[str, str] | None = None) -> Monorepo:
        repo = cls(root, environment or dict(os.environ))
        for name, text in _FILES.items():
            repo.write(name, text)
        shutil.copy(shutil.which("busybox") or "/bin/busybox", root / "base/busybox")
        return repo

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "zbuild", *arguments],
            cwd=self.root,
            env=self.environment | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def zbuild(self, *arguments: str, timeout: float = 120, **settings: str) -> Ended:
        process = self.start(*arguments, **settings)
        stdout, stderr = process.communicate(timeout=timeout)
        return Ended(process.returncode, stdout, stderr)

    def build(self, *arguments: str, **settings: str) -> dict[str, str]:
        """Build, which must end well; return what became of each stage, by `image/stage`."""
        ended = self.zbuild("build", "--metadata-file", "metadata.json", *arguments, **settings)
        assert ended.code == 0, ended.stderr
        return self.actions()

    def metadata(self) -> dict[str, Any]:
        return json.loads((self.root / "metadata.json").read_text())["images"]

    def actions(self) -> dict[str, str]:
        return {
            f"{name}/{stage['name']}": stage["action"]
            for name, image in self.metadata().items()
            for stage in image["stages"]
        }

    def plan(self, *arguments: str) -> dict[str, str]:
        """Return what a plan says of each stage, by `image/stage`."""
        ended = self.zbuild("plan", "--format", "json", *arguments)
        assert ended.code == 0, ended.stderr
        return {f"{stage['image']}/{stage['stage']}": stage["action"] for stage in json.loads(ended.stdout)["stages"]}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str
