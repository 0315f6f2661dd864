"""A remote cache in a bucket of S3, or of what speaks like it (MinIO, Ceph, R2 …).

    <prefix>/records/<key>.json, <prefix>/layers/<diff id>.tar.zst

Credentials come from the environment, the machine's role, or AWS's own files; they are nowhere else.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from zbuild.base.errors import BackendError, RegistryError
from zbuild.cache.aws_config import aws_settings
from zbuild.cache.protocol import MissingLayerError, StoredItem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbuild.cache.protocol import PackedLayer
    from zbuild.model.caches import CachePlace

_RECORDS, _LAYERS = "records/", "layers/"
_RECORD, _LAYER = ".json", ".tar.zst"
_CONNECT, _STALL, _PATIENCE = "5s", "30s", timedelta(seconds=15)
_RETRIES = 3
_NO_BUCKET = "NoSuchBucket"
_DENIED = ("PermissionDeniedError", "UnauthenticatedError")


def check_client(place: CachePlace) -> None:
    """Raise BackendError, with what to install as its hint, when the client for S3 is not there."""
    if find_spec("obstore") is None:
        message = f"the cache {place} needs the package obstore"
        raise BackendError("tool-missing", message, hint="install it: pip install 'zbuild[s3]'")


class S3Store:
    """A bucket."""

    def __init__(self, place: CachePlace) -> None:
        self.name = str(place)
        self._place = place
        self._client = _open(place)

    def read_record(self, key: str) -> bytes | None:
        """Return the record under a key."""
        with self._faults("read"):
            try:
                return bytes(self._client.get(_record(key)).bytes())
            except FileNotFoundError as error:
                if _NO_BUCKET in str(error):
                    raise
                return None

    def peek_record(self, key: str) -> bytes | None:
        """Return the record under a key; buckets do not know what was read."""
        return self.read_record(key)

    def write_record(self, key: str, data: bytes, diff_ids: Sequence[str], *, replace: bool) -> None:  # noqa: ARG002 - the record tells of its layers
        """Keep a record; of two writers at once, the first one's stays (If-None-Match)."""
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415 - see _open

        with self._faults("write to"):
            try:
                self._client.put(_record(key), data, mode="overwrite" if replace else "create")
            except AlreadyExistsError:
                return

    def has_layer(self, diff_id: str) -> bool:
        """Tell whether a layer is there."""
        with self._faults("read"):
            try:
                self._client.head(_layer(diff_id))
            except FileNotFoundError:
                return False
        return True

    def read_layer(self, diff_id: str) -> Iterator[bytes]:
        """Yield a packed layer."""
        with self._faults("read"):
            try:
                found = self._client.get(_layer(diff_id))
            except FileNotFoundError:
                raise MissingLayerError("cache-missing", f"{self.name} has no layer {diff_id[:19]}") from None
            for chunk in found.stream():
                yield bytes(chunk)

    def write_layer(self, layer: PackedLayer) -> None:
        """Keep a packed layer; a large one goes in parts, and is there once the last has come."""
        with self._faults("write to"):
            self._client.put(_layer(layer.diff_id), layer.file)

    def close(self) -> None:
        """Release nothing: the client has no more than connections."""

    def items(self) -> Iterator[StoredItem]:
        """List what stores have written, and no other objects; what was last written counts as last used."""
        with self._faults("list"):
            for batch in self._client.list():
                for found in batch:
                    if item := _item(found["path"], found["size"], found["last_modified"].timestamp()):
                        yield item

    def remove(self, item: StoredItem) -> None:
        """Remove one thing."""
        with self._faults("remove something from"):
            self._client.delete(_layer(item.name) if item.kind == "layer" else _record(item.name))

    @contextmanager
    def _faults(self, what: str) -> Iterator[None]:
        from obstore.exceptions import BaseError  # noqa: PLC0415 - see _open

        try:
            yield
        except (BaseError, FileNotFoundError, PermissionError) as error:
            message = f"cannot {what} the cache {self.name}: {self._cause(error)}"
            if isinstance(error, PermissionError) or type(error).__name__ in _DENIED:
                hint = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
                raise RegistryError("cache-denied", message, hint=hint) from error
            raise RegistryError("cache-failed", message) from error

    def _cause(self, error: Exception) -> str:
        """Return what the server says, or else the first line of what the client does."""
        code, message = (re.search(f"<{tag}>([^<]*)</{tag}>", str(error)) for tag in ("Code", "Message"))
        if code is None:
            return str(error).partition("\n")[0]
        if code[1] == _NO_BUCKET:
            return f"there is no bucket {self._place.path} at {self._place.endpoint or _endpoint() or 'AWS'}"
        return f"{code[1]}: {message[1]}" if message else code[1]


def _open(place: CachePlace) -> Any:  # noqa: ANN401 - the client is an extra, which type checkers may not find
    from obstore.store import S3Store as Client  # noqa: PLC0415 - an extra, needed by few

    settings: dict[str, Any] = aws_settings(os.environ)
    settings |= {name: value for name in ("region", "endpoint") if (value := getattr(place, name))}
    insecure = settings.get("endpoint", _endpoint()).startswith("http://")
    return Client(
        place.path,
        prefix=place.prefix or None,
        client_options={"allow_http": insecure, "connect_timeout": _CONNECT, "read_timeout": _STALL, "timeout": "1h"},
        retry_config={"max_retries": _RETRIES, "retry_timeout": _PATIENCE},
        **settings,
    )


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _record(key: str) -> str:
    return f"{_RECORDS}{key}{_RECORD}"


def _layer(diff_id: str) -> str:
    return f"{_LAYERS}{diff_id.removeprefix('sha256:')}{_LAYER}"


def _item(path: str, size: int, used: float) -> StoredItem | None:
    if path.startswith(_RECORDS) and path.endswith(_RECORD):
        return StoredItem("record", path.removeprefix(_RECORDS).removesuffix(_RECORD), size, used)
    if path.startswith(_LAYERS) and path.endswith(_LAYER):
        return StoredItem("layer", f"sha256:{path.removeprefix(_LAYERS).removesuffix(_LAYER)}", size, used)
    return None
