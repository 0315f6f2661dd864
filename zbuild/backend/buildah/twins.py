"""Images of the same layers with another configuration.

buildah makes one from a folder that holds a manifest and a configuration alone (`dir:`): layers named by their diff ids
are those of the store.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbuild.backend.buildah import commands

if TYPE_CHECKING:
    from zbuild.backend.buildah.engine import Engine

DIR_VERSION = "Directory Transport Version: 1.1\n"
UNPACKED = {
    "application/vnd.docker.distribution.manifest.v2+json": "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.oci.image.manifest.v1+json": "application/vnd.oci.image.layer.v1.tar",
}


def make_twin(engine: Engine, config: dict[str, Any], manifest: dict[str, Any]) -> str:
    """Make an image of a configuration, with the layers of a manifest's image; return its id, it has no name yet.

    Raises BackendError.
    """
    data = json.dumps(config).encode()
    import hashlib  # noqa: PLC0415 - few images have a twin, and it loads OpenSSL

    digest = hashlib.sha256(data).hexdigest()
    manifest = _with_config(manifest, f"sha256:{digest}", len(data), config["rootfs"]["diff_ids"])
    with tempfile.TemporaryDirectory(prefix="zbuild-") as folder:
        for file, content in (("version", DIR_VERSION.encode()), (digest, data), ("manifest.json", _json(manifest))):
            (Path(folder) / file).write_bytes(content)
        return engine.call(commands.pull_folder(folder)).split()[-1].removeprefix("sha256:")


def _with_config(manifest: dict[str, Any], digest: str, size: int, diff_ids: list[str]) -> dict[str, Any]:
    """Return a manifest of another configuration, its layers named by their diff ids."""
    kind = UNPACKED.get(manifest.get("mediaType", ""), UNPACKED["application/vnd.oci.image.manifest.v1+json"])
    layers = [{"mediaType": kind, "digest": diff_id, "size": 0} for diff_id in diff_ids]
    return {**manifest, "config": {**manifest["config"], "digest": digest, "size": size}, "layers": layers}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
