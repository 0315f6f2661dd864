"""A base image of Debian, made on this machine, in which pip, npm and apt reach what they reach here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.storage import Storage

_ROOT = Path(__file__).parents[2]
_ARCHIVE = _ROOT / ".cache/bookworm-pip.tar"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# Where pip and npm look, when this machine says so, and through which proxy.
_PASSED = ("PIP_INDEX_URL", "NPM_CONFIG_REGISTRY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def import_debian(storage: Storage, name: str) -> None:
    """Make the base image `name`: Debian 12 with Python, its pip and venv, and the certificates this machine trusts."""
    script = _ROOT / "scripts/debian_root.sh"
    subprocess.run(["sh", script, _ARCHIVE, "apt", "ca-certificates", "python3-pip", "python3-venv"], check=True)
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    # Node.js, Deno and uv bring certificates of their own, unless they are told of others.
    env |= {"SSL_CERT_FILE": _CERTIFICATES, "NODE_EXTRA_CA_CERTS": _CERTIFICATES, "DENO_CERT": _CERTIFICATES}
    env |= {key: value for key, value in os.environ.items() if key.upper() in _PASSED}
    container = storage.buildah("from", "scratch")
    storage.buildah("add", "--quiet", container, _ARCHIVE, "/")
    if Path(_CERTIFICATES).exists():
        storage.buildah("copy", "--quiet", container, _CERTIFICATES, _CERTIFICATES)
    settings = [part for key, value in env.items() for part in ("--env", f"{key}={value}")]
    storage.buildah("config", *settings, container)
    storage.buildah("commit", "--quiet", "--rm", container, name)
