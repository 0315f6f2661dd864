"""Lists of images of several platforms, in buildah's store.

A list holds no layers. It is known by a name of zbuild's own that says what is in it, so that equal lists are made
once; users' names come on top, and one that has lost them all is removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from zbuild.backend.buildah import commands
from zbuild.base.errors import ImageGoneError
from zbuild.oci.media import INDEXES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.store import Store, StoredImage

OWN = "list-"
"""What the tags of the names begin with that lists have of zbuild."""

Entry: TypeAlias = "dict[str, Any]"


def listed(store: Store, image_id: str) -> list[str]:
    """Return the digests of the manifests in a list. Raises ImageGoneError."""
    return [entry["digest"] for entry in entries(store.manifest(image_id))]


def entries(manifest: Entry) -> list[Entry]:
    """Return what is in a list; of the manifest of one image, nothing."""
    return list(manifest["manifests"] or ()) if is_list(manifest) else []


def is_list(manifest: Entry) -> bool:
    """Tell whether a manifest is a list's."""
    return manifest.get("mediaType") in INDEXES


def remove(engine: Engine, image_ids: Iterable[str]) -> None:
    """Remove images and lists with all their names; ones that are gone are no error. Raises BackendError."""
    images = engine.store.images()
    present = [images[image_id] for image_id in dict.fromkeys(image_ids) if image_id in images]
    lists = [image for image in present if _is_stored_list(engine.store, image)]
    if lists:
        engine.call(commands.remove_lists([name for image in lists for name in image.names or (image.id,)]))
    if len(lists) < len(present):
        engine.call(commands.remove_images([image.id for image in present if image not in lists]))


def remove_bare(engine: Engine) -> None:
    """Remove the lists of this workspace that users' names have left. Raises BackendError."""
    remove(engine, [image.id for image in engine.store.images().values() if is_bare(engine, image)])


def is_bare(engine: Engine, image: StoredImage) -> bool:
    """Tell whether an image is a list of this workspace that no user's name is left of."""
    prefix = engine.names.image_prefix + OWN
    return bool(image.names) and all(name.startswith(prefix) for name in image.names)


def _is_stored_list(store: Store, image: StoredImage) -> bool:
    """Tell whether an image is a list; one that is damaged is removed like any other."""
    try:
        return not image.layer and is_list(store.manifest(image.id))
    except ImageGoneError:
        return False
