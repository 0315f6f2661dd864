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
import shutil
import stat
from typing import IO, TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.backend.buildah.store import Store, StoredLayer

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SEGMENT = 2


class NoTarError(Exception):
    """The store does not keep what is needed to put a layer together, or it does not come to what it should."""


def write_layer(store: Store, layer: StoredLayer, target: Path) -> None:
    """Write a layer's tar to a file. Raises NoTarError, and OSError when the file cannot be made."""
    with target.open("wb") as file:
        hashed = _Hashed(file)
        _assemble(store, layer, hashed)
    if hashed.digest != layer.diff_id:
        raise NoTarError(f"the layer {layer.id[:12]} does not come to {layer.diff_id}")


class _Hashed:
    """A file that is written to, and the digest of what was."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _assemble(store: Store, layer: StoredLayer, target: _Hashed) -> None:
    if store.driver != "overlay":
        raise NoTarError(f"the driver {store.driver} does not keep layers apart")
    folder = store.graphroot / "overlay" / layer.id / "diff"
    split = store.graphroot / "overlay-layers" / f"{layer.id}.tar-split.gz"
    try:
        with gzip.open(split) as lines:
            for line in lines:
                entry = json.loads(line)
                if entry["type"] == _SEGMENT:
                    target.write(base64.b64decode(entry["payload"]))
                elif entry.get("size"):
                    _copy_content(folder, entry, target)
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise NoTarError(f"the layer {layer.id[:12]} cannot be put together: {error}") from error


def _copy_content(folder: Path, entry: dict[str, Any], target: _Hashed) -> None:
    raw = entry.get("name_raw")
    name = base64.b64decode(raw) if raw else os.fsencode(entry["name"])
    handle = os.open(os.path.join(os.fsencode(folder), name.lstrip(b"/")), _READ)  # noqa: PTH118 - names are bytes
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError(f"{os.fsdecode(name)} is no regular file")
        _copy(file, target)


def _copy(file: IO[bytes], target: _Hashed) -> None:
    shutil.copyfileobj(file, target, 1 << 20)
