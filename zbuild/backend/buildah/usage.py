"""What images of the store hold and what holds them, from the store's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.buildah.lists import listed
from zbuild.backend.buildah.store import layers_of
from zbuild.backend.protocol import ImageUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.backend.buildah.store import Store, StoredImage, StoredLayer


def usage(store: Store, own_prefix: str) -> dict[str, ImageUse]:
    """Return the use of every image by id; names that begin with `own_prefix` are the workspace's own.

    What is in a list has the list's names, too.
    """
    images = store.images()
    layers = store.layers()
    in_use = {container.image for container in store.containers()}
    names = {image.id: _given(image, own_prefix) for image in images.values()}
    by_digest = {image.digest: image.id for image in images.values()}
    for image in images.values():
        if not image.layer and names[image.id]:
            for digest in filter(by_digest.__contains__, listed(store, image.id)):
                names[by_digest[digest]] += names[image.id]
    return {image.id: _use(image, layers, names[image.id], in_use) for image in images.values()}


def _given(image: StoredImage, own_prefix: str) -> tuple[str, ...]:
    return tuple(name for name in image.names if not name.startswith(own_prefix))


def _use(image: StoredImage, layers: Mapping[str, StoredLayer], names: tuple[str, ...], in_use: set[str]) -> ImageUse:
    return ImageUse(names, image.id in in_use, {layer.id: layer.size for layer in layers_of(image, layers)})
