"""A container of an image, run as its users would: its own command, its own user, as the first process."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from zbuild.backend.buildah.run_user import find_user
from zbuild.backend.rootfs import Rootfs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.storage import Storage

_PATIENCE = 30


@dataclass
class Container:
    """A running container that serves HTTP at `port` of this machine's loopback."""

    process: subprocess.Popen[str]
    port: int
    stop_argv: tuple[str, ...]

    def get(self) -> str:
        """Ask for `/`, as soon as it answers."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
                    return answer.read().decode()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.process.kill()
                    raise AssertionError(f"no answer; it said: {self.process.communicate()[0]}") from None
                time.sleep(0.05)

    def stop(self) -> int:
        """Ask it to end, as `docker stop` does; return its exit code. Raises TimeoutExpired when it does not care."""
        subprocess.run(self.stop_argv, check=True, capture_output=True)
        return self.process.wait(_PATIENCE)


@contextmanager
def serving(storage: Storage, image: str, folder: Path) -> Iterator[Container]:
    """Start a container of an image, with this machine's network; `folder` is for its bundle, and new."""
    container = storage.buildah("from", "--pull-never", image)
    config = json.loads(storage.buildah("inspect", "--type", "container", container))["OCIv1"]["config"]
    root = storage.buildah("mount", container)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(_spec(folder, root, config, port)))
    runc = ("runc", "--root", str(folder / "state"))
    argv = [*runc, "run", "--bundle", str(folder), container]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield Container(process, port, (*runc, "kill", container, "TERM"))
    finally:
        subprocess.run([*runc, "delete", "--force", container], check=False, capture_output=True)
        process.communicate(timeout=_PATIENCE)
        storage.buildah("rm", container)


def _spec(folder: Path, root: str, config: dict[str, Any], port: int) -> dict[str, Any]:
    """Return runc's own default with what the image says; the root is read only, as many who run containers have it."""
    subprocess.run(["runc", "spec", "--bundle", str(folder)], check=True)
    spec: dict[str, Any] = json.loads((folder / "config.json").read_text())
    with Rootfs(root.encode()) as opened:
        user = find_user(opened, config.get("User", ""))
    spec["root"] = {"path": root, "readonly": True}
    spec["process"] |= {
        "terminal": False,
        "user": {"uid": user.uid, "gid": user.gid},
        "args": [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())],
        "env": [*(entry for entry in config["Env"] if not entry.startswith("PORT=")), f"PORT={port}"],
        "cwd": config.get("WorkingDir") or "/",
    }
    spec["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})  # noqa: S108 - in the container
    spec["linux"]["namespaces"] = [item for item in spec["linux"]["namespaces"] if item["type"] != "network"]
    return spec
