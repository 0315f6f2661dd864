"""A container registry on loopback."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
  delete: {{enabled: true}}
http: {{addr: "{address}"{tls}}}
{auth}
"""
USER, PASSWORD = "pusher", "open sesame"
_HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n"


@contextmanager
def run_registry(
    folder: Path, *, closed: bool = False, auth: str = "", tls: tuple[str, str] | None = None
) -> Iterator[str]:
    """Start a registry with its data in `folder`; yields `host:port`. Speaks plain http.

    A `closed` one wants USER and PASSWORD for everything; `auth` is what its settings say of that otherwise. `tls` are
    the files of its certificate and key.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "registry.yml"
    (folder / "htpasswd").write_text(_HTPASSWD)
    if closed:
        auth = f"auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}"
    more = f", tls: {{certificate: {tls[0]}, key: {tls[1]}}}" if tls else ""
    config.write_text(_CONFIG.format(folder=folder, address=address, auth=auth, tls=more))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    try:
        _wait(process, address, folder / "registry.log")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    message = f"the registry did not start: {log.read_text()[-2000:]}"
    raise RuntimeError(message)
