"""Mounted roots of images, for COPY --from: zbuild's own mounts, or helper containers where only buildah can."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.trees import is_tree

if TYPE_CHECKING:
    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.plain_images import PlainImages
    from zbuild.backend.buildah.trees import Trees


class ImageRoots:
    """Mounts images when first asked for; threads that ask for the same one wait for one mount."""

    def __init__(self, engine: Engine, plain: PlainImages, trees: Trees) -> None:
        self._engine = engine
        self._plain = plain
        self._trees = trees
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._roots: dict[str, bytes] = {}
        self._mounted: list[str] = []
        self._containers: list[str] = []

    def root(self, image_id: str) -> bytes:
        """Return where an image's files are. Raises ImageGoneError and BackendError."""
        with self._guard:
            lock = self._locks.setdefault(image_id, threading.Lock())
        with lock:
            if image_id not in self._roots:
                self._roots[image_id] = self._mount(image_id)
            return self._roots[image_id]

    def close(self) -> None:
        """Unmount them all."""
        with self._guard:
            mounted, self._mounted = self._mounted, []
            containers, self._containers = self._containers, []
            self._roots.clear()
        for name in mounted:
            self._engine.overlay.unmount(name)
        self._engine.discard(*containers)

    def _mount(self, image_id: str) -> bytes:
        name = self._engine.names.new_container()
        if self._engine.mounts_roots and (root := self._mount_directly(name, image_id)):
            with self._guard:
                self._mounted.append(name)
            return root
        plain = self._plain.of(self._trees.image_of(image_id))
        with self._guard:
            self._containers.append(name)
        self._engine.call(commands.create(name, plain))
        return os.fsencode(self._engine.call(commands.mount(name)))

    def _mount_directly(self, name: str, image_id: str) -> bytes | None:
        if is_tree(image_id):
            return self._trees.mount(name, image_id)
        return self._engine.overlay.mount_image(name, self._engine.store.image(image_id).layer)
