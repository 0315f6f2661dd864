"""What images of the store hold and what holds them, from the store's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.buildah.store import layers_of
from zbuild.backend.protocol import ImageUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.backend.buildah.store import Store, StoredImage, StoredLayer


def usage(store: Store, own_prefix: str) -> dict[str, ImageUse]:
    """Return the use of every image by id; names that begin with `own_prefix` are the workspace's own."""
    layers = store.layers()
    in_use = {container.image for container in store.containers()}
    return {image.id: _use(image, layers, own_prefix, in_use) for image in store.images().values()}


def _use(image: StoredImage, layers: Mapping[str, StoredLayer], own_prefix: str, in_use: set[str]) -> ImageUse:
    given = tuple(name for name in image.names if not name.startswith(own_prefix))
    return ImageUse(given, image.id in in_use, {layer.id: layer.size for layer in layers_of(image, layers)})
