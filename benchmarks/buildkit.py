"""BuildKit as a peer, in a docker daemon of our own; only where Debian's docker.io is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from generate import BASE
from peers import CommandFailedError, root_file_system, run

if TYPE_CHECKING:
    from generate import Image, Work

# Debian's own client: later ones refuse BuildKit without a plugin.
_DOCKER = "/usr/bin/docker"
_AT_ONCE = 4


def available() -> bool:
    """Say whether there is a daemon to start and a client that speaks BuildKit without plugins."""
    return shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin") is not None and Path(_DOCKER).exists()


class BuildKit:
    """`docker build` with BuildKit, four images at once where one does not stand on another: its fastest way."""

    name = "buildkit"
    cold_only = False

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._daemon: subprocess.Popen[bytes] | None = None
        socket = f"unix://{folder}/docker.sock"
        self._environment = os.environ | {"DOCKER_HOST": socket, "DOCKER_BUILDKIT": "1"}

    def reset(self, work: Work) -> None:
        del work
        self.close()
        self._start()
        archive = self._folder / "base.tar"
        run(["tar", "-C", str(root_file_system(self._folder)), "-cf", str(archive), "."], self._environment)
        self._docker("import", "--change", "ENV PATH=/bin", str(archive), BASE)

    def build(self, work: Work) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _, images in groupby(work.images, key=lambda image: image.level):
                list(pool.map(self._build_one, images))

    def close(self) -> None:
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(60)
            self._daemon = None
        shutil.rmtree(self._folder / "data", ignore_errors=True)

    def _build_one(self, image: Image) -> None:
        self._docker("build", "--quiet", "--network", "host", "--tag", image.tag, str(image.context))

    def _docker(self, *arguments: str) -> str:
        return run([_DOCKER, *arguments], self._environment)

    def _start(self) -> None:
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        argv = [shutil.which("dockerd", path=path) or "dockerd", "--data-root", str(self._folder / "data")]
        argv += ["--exec-root", str(self._folder / "exec"), "--pidfile", str(self._folder / "docker.pid")]
        argv += ["--host", self._environment["DOCKER_HOST"], "--iptables=false", "--bridge=none"]
        with (self._folder / "dockerd.log").open("wb") as log:
            self._daemon = subprocess.Popen(argv, stdout=log, stderr=log, env=os.environ | {"PATH": path})
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                self._docker("version")
            except CommandFailedError:
                time.sleep(0.1)
            else:
                return
        message = f"dockerd does not answer; see {self._folder}/dockerd.log"
        raise CommandFailedError(message)
