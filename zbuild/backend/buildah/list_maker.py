"""Makes lists of images: in buildah's store, and as registries are to have them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.lists import OWN, entries, listed, remove
from zbuild.backend.buildah.twins import DIR_VERSION
from zbuild.backend.protocol import ImageList
from zbuild.base.digest import xxh
from zbuild.base.errors import ImageGoneError
from zbuild.oci.layout import sha256_digest
from zbuild.oci.media import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.lists import Entry
    from zbuild.backend.buildah.store import Store, StoredImage


def make_list(engine: Engine, image_ids: Sequence[str]) -> ImageList:
    """Return the list of these images, made if there is none. Raises ImageGoneError, BackendError."""
    digests = [_digest(engine.store, image_id) for image_id in image_ids]
    name = engine.names.image(OWN + xxh(tuple(digests)))
    found = _named(engine.store, name)
    if found is None or listed(engine.store, found.id) != digests:  # a run that was killed leaves a half of one
        if found is not None:
            remove(engine, [found.id])
        list_id = engine.call(commands.create_list(name)).split()[-1]
        for image_id in image_ids:
            engine.call(commands.add_to_list(list_id, image_id))
        found = engine.store.image(list_id)
    return ImageList(found.id, _digest(engine.store, found.id))


def _named(store: Store, name: str) -> StoredImage | None:
    return next((image for image in store.images().values() if name in image.names), None)


def members(store: Store, image_id: str) -> list[tuple[Entry, str]]:
    """Return what is in a list, with the image of each; of one image, nothing. Raises ImageGoneError."""
    images = {image.digest: image.id for image in store.images().values()}
    found = [(entry, images.get(entry["digest"], "")) for entry in entries(store.manifest(image_id))]
    for entry, member in found:
        if not member:
            raise ImageGoneError("image-gone", f"the image {entry['digest'][:19]} of a list is no longer in the store")
    return found


def write_index(folder: Path, pushed: Sequence[tuple[Entry, str, bytes]]) -> str:
    """Write a list to a folder as the transport `dir` has it, and return its digest.

    `pushed` are what is in the list, with the digest and the manifest that each has in the registry.
    """
    index: Entry = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    for entry, digest, manifest in pushed:
        kind = json.loads(manifest).get("mediaType", OCI_MANIFEST)
        index["mediaType"] = OCI_INDEX if kind == OCI_MANIFEST else DOCKER_LIST
        index["manifests"].append({**entry, "mediaType": kind, "digest": digest, "size": len(manifest)})
    data = json.dumps(index).encode()
    folder.mkdir(mode=0o700)
    (folder / "version").write_text(DIR_VERSION)
    (folder / "manifest.json").write_bytes(data)
    return sha256_digest(data)


def _digest(store: Store, image_id: str) -> str:
    return sha256_digest(store.manifest_bytes(image_id))
