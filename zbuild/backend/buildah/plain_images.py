"""Images without their ONBUILD instructions: `buildah from` would run these by itself, its own way.

The plain twin of an image has the same layers and the same configuration less OnBuild. buildah makes it from a folder
that holds a manifest and a configuration alone (`dir:`): layers named by their diff ids are those of the store.
"""

from __future__ import annotations

import json
import tempfile
import threading
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


class PlainImages:
    """Gives every image one that `buildah from` runs nothing of; threads that ask for the same one make one twin.

    Twins bear names of zbuild's own, so that the sweep of a later run removes them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()

    def of(self, image_id: str) -> str:
        """Return the image itself when it has no ONBUILD instructions, else its twin.

        Raises ImageGoneError and BackendError.
        """
        config = self._engine.store.config(image_id)
        if not (config.get("config") or {}).get("OnBuild"):
            return image_id
        name = self._engine.names.image(f"plain-{image_id}")
        with self._lock:
            images = self._engine.store.images().values()
            found = next((image.id for image in images if name in image.names), None)
            return found or self._make(name, config, self._engine.store.manifest(image_id))

    def _make(self, name: str, config: dict[str, Any], manifest: dict[str, Any]) -> str:
        config = {**config, "config": {key: value for key, value in config["config"].items() if key != "OnBuild"}}
        data = json.dumps(config).encode()
        import hashlib  # noqa: PLC0415 - few images have ONBUILD, and it loads OpenSSL

        digest = hashlib.sha256(data).hexdigest()
        manifest = _with_config(manifest, f"sha256:{digest}", len(data), config["rootfs"]["diff_ids"])
        with tempfile.TemporaryDirectory(prefix="zbuild-") as folder:
            for file, content in (
                ("version", DIR_VERSION.encode()),
                (digest, data),
                ("manifest.json", _json(manifest)),
            ):
                (Path(folder) / file).write_bytes(content)
            image_id = self._engine.call(commands.pull_folder(folder)).split()[-1].removeprefix("sha256:")
        self._engine.call(commands.tag(image_id, [name]))
        return image_id


def _with_config(manifest: dict[str, Any], digest: str, size: int, diff_ids: list[str]) -> dict[str, Any]:
    """Return a manifest of another configuration, its layers named by their diff ids."""
    kind = UNPACKED.get(manifest.get("mediaType", ""), UNPACKED["application/vnd.oci.image.manifest.v1+json"])
    layers = [{"mediaType": kind, "digest": diff_id, "size": 0} for diff_id in diff_ids]
    return {**manifest, "config": {**manifest["config"], "digest": digest, "size": size}, "layers": layers}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
