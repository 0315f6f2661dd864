"""A layer's tar out of the store, byte for byte, without a process: containers/storage keeps what it took apart.

`<driver>-layers/<id>.tar-split.gz` holds lines of JSON: headers and padding as they were (type 2), and in between the
names of files whose content lies in the layer's folder (type 1). Only the overlay driver keeps layers apart, so that
files can be read there; the digest tells whether the tar is the one that was asked for.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zbuild.backend.buildah.store import Store, StoredLayer

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SEGMENT = 2
_CHUNK = 1 << 20


class NoTarError(Exception):
    """The store does not keep what is needed to put a layer together, or it does not come to what it should."""


def write_layer(store: Store, layer: StoredLayer, target: Path) -> None:
    """Write a layer's tar to a file. Raises NoTarError, and OSError when the file cannot be made."""
    hasher = hashlib.sha256()
    with target.open("wb") as file:
        for chunk in tar_of(store, layer):
            hasher.update(chunk)
            file.write(chunk)
    if f"sha256:{hasher.hexdigest()}" != layer.diff_id:
        raise NoTarError(f"the layer {layer.id[:12]} does not come to {layer.diff_id}")


def keeps_tar(store: Store, layer: StoredLayer) -> bool:
    """Tell whether the store keeps what a layer can be put together from."""
    return store.driver == "overlay" and _split(store, layer).exists()


def tar_of(store: Store, layer: StoredLayer) -> Iterator[bytes]:
    """Yield a layer's tar, as it is now: the caller holds it to its digest. Raises NoTarError."""
    if store.driver != "overlay":
        raise NoTarError(f"the driver {store.driver} does not keep layers apart")
    folder = layer_folder(store, layer)
    try:
        with gzip.open(_split(store, layer)) as lines:
            for line in lines:
                entry = json.loads(line)
                if entry["type"] == _SEGMENT:
                    yield base64.b64decode(entry["payload"])
                elif entry.get("size"):
                    yield from _content(folder, entry)
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise NoTarError(f"the layer {layer.id[:12]} cannot be put together: {error}") from error


def layer_folder(store: Store, layer: StoredLayer) -> Path:
    """Return where the overlay driver keeps a layer's files."""
    return store.graphroot / "overlay" / layer.id / "diff"


def _split(store: Store, layer: StoredLayer) -> Path:
    return store.graphroot / "overlay-layers" / f"{layer.id}.tar-split.gz"


def _content(folder: Path, entry: dict[str, Any]) -> Iterator[bytes]:
    raw = entry.get("name_raw")
    name = base64.b64decode(raw) if raw else os.fsencode(entry["name"])
    handle = os.open(os.path.join(os.fsencode(folder), name.lstrip(b"/")), _READ)  # noqa: PTH118 - names are bytes
    with os.fdopen(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError(f"{os.fsdecode(name)} is no regular file")
        while chunk := file.read(_CHUNK):
            yield chunk
