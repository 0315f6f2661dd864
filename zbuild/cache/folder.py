"""A remote cache in a folder: on a disk that machines share, or one that outlives checkouts.

    records/<2 digits>/<key>.json, layers/<2 digits>/<diff id>.tar.zst

A file's mtime is when it was last used.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from zbuild.base.errors import RegistryError
from zbuild.base.files import TEMPORARY, write_whole
from zbuild.cache.protocol import MissingLayerError, StoredItem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from zbuild.cache.protocol import PackedLayer

_CHUNK = 1 << 20


class FolderStore:
    """A folder; it is made when something is written."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self._root = root

    def read_record(self, key: str) -> bytes | None:
        """Return the record under a key; it then counts as used."""
        data = self.peek_record(key)
        if data is not None:
            _touch(self._record(key))
        return data

    def peek_record(self, key: str) -> bytes | None:
        """Return the record under a key: looking for what can go must not make everything look used."""
        try:
            return self._record(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error("read", error) from error

    def write_record(self, key: str, data: bytes, diff_ids: Sequence[str], *, replace: bool) -> None:  # noqa: ARG002 - the record tells of its layers
        """Keep a record."""
        path = self._record(key)
        try:
            if replace or not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, data)
        except OSError as error:
            raise self._error("write to", error) from error

    def has_layer(self, diff_id: str) -> bool:
        """Tell whether a layer is there; it then counts as used, so that no one removes it meanwhile."""
        return _touch(self._layer(diff_id))

    def read_layer(self, diff_id: str) -> Iterator[bytes]:
        """Yield a packed layer."""
        path = self._layer(diff_id)
        try:
            with path.open("rb") as file:
                _touch(path)
                while chunk := file.read(_CHUNK):
                    yield chunk
        except FileNotFoundError:
            raise MissingLayerError("cache-missing", f"{self.name} has no layer {diff_id[:19]}") from None
        except OSError as error:
            raise self._error("read", error) from error

    def write_layer(self, layer: PackedLayer) -> None:
        """Keep a packed layer; it is durable on return."""
        path = self._layer(layer.diff_id)
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}{TEMPORARY}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with layer.file.open("rb") as source, temporary.open("xb") as target:
                    shutil.copyfileobj(source, target, _CHUNK)
                    target.flush()
                    os.fsync(target.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise self._error("write to", error) from error

    def close(self) -> None:
        """Release nothing: nothing is held."""

    def items(self) -> Iterator[StoredItem]:
        """List everything that stores have written; other files of the folder are not theirs to tell of."""
        for path in (*self._root.glob("records/*/*"), *self._root.glob("layers/*/*")):
            with suppress(OSError):
                found = path.stat()
                if item := self._item(path, found.st_size, found.st_mtime):
                    yield item

    def _item(self, path: Path, size: int, used: float) -> StoredItem | None:
        folder, name = path.parts[-3], path.name
        if folder == "records" and name.endswith(".json") and not name.startswith("."):
            return StoredItem("record", name.removesuffix(".json"), size, used)
        if folder == "layers" and name.endswith(".tar.zst") and not name.startswith("."):
            return StoredItem("layer", f"sha256:{name.removesuffix('.tar.zst')}", size, used)
        if name.startswith(".") and name.endswith(TEMPORARY):
            return StoredItem("rest", str(path.relative_to(self._root)), size, used)
        return None

    def remove(self, item: StoredItem) -> None:
        """Remove one thing."""
        try:
            self._path(item).unlink(missing_ok=True)
        except OSError as error:
            raise self._error("remove something from", error) from error

    def _path(self, item: StoredItem) -> Path:
        match item.kind:
            case "record":
                return self._record(item.name)
            case "layer":
                return self._layer(item.name)
            case "rest":
                return self._root / item.name

    def _record(self, key: str) -> Path:
        return self._root / "records" / key[:2] / f"{key}.json"

    def _layer(self, diff_id: str) -> Path:
        name = diff_id.removeprefix("sha256:")
        return self._root / "layers" / name[:2] / f"{name}.tar.zst"

    def _error(self, what: str, error: OSError) -> RegistryError:
        return RegistryError("cache-failed", f"cannot {what} the cache {self.name}: {error.strerror}")


def _touch(path: Path) -> bool:
    """Note that a file is used; False when there is none."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:  # a disk that is read-only for us
        return path.exists()
    return True
