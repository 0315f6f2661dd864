"""Images without their ONBUILD instructions: `buildah from` would run these by itself, its own way.

The plain twin of an image has the same layers and the same configuration less OnBuild.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.twins import make_twin

if TYPE_CHECKING:
    from zbuild.backend.buildah.engine import Engine


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
        plain = {**config, "config": {key: value for key, value in config["config"].items() if key != "OnBuild"}}
        image_id = make_twin(self._engine, plain, manifest)
        self._engine.call(commands.tag(image_id, [name]))
        return image_id
