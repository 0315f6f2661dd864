"""A remote cache in a repository of a registry: a small manifest for each record, its layers as blobs.

    <repository>:zbuild-<key>   config: the record; layers: each with its diff id as an annotation

A manifest names its blobs, so that the registry's own collection of garbage keeps what is needed, and no more.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Protocol

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import RegistryError
from zbuild.base.reference import parse_reference
from zbuild.cache.protocol import MissingLayerError
from zbuild.oci.documents import encode_json
from zbuild.oci.faults import NotInRegistryError
from zbuild.oci.media import OCI_MANIFEST, Descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbuild.base.reference import Reference
    from zbuild.cache.protocol import PackedLayer
    from zbuild.oci.manifest import Manifest
    from zbuild.oci.registry import Registry

_RECORD = "application/vnd.zbuild.record.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
_DIFF_ID = "dev.zbuild.diff-id"
_MOST_BYTES = 16 << 20
_KEPT = 2000  # layers that are remembered of a repository


class Memory(Protocol):
    """Texts kept by name from run to run."""

    def get(self, key: str) -> str | None:
        """Return the text of that name."""
        ...

    def set(self, key: str, value: str) -> None:
        """Keep a text under a name."""
        ...


@dataclass(frozen=True, slots=True)
class _Blob:
    digest: str
    size: int


class RegistryStore:
    """A repository, which `registry` speaks to.

    What blobs hold which layers is learned from records, and from `memory`: what was packed once need not be again.
    """

    def __init__(self, repository: str, registry: Registry, memory: Memory) -> None:
        self.name = repository
        self._memory = memory
        self._registry = registry
        self._repository = parse_reference(repository)
        self._blobs = _recall(memory, repository)
        self._lock = threading.Lock()

    def read_record(self, key: str) -> bytes | None:
        """Return the record under a key."""
        try:
            manifest = self._registry.manifest(self._tagged(key), (OCI_MANIFEST,))
            data = self._read_small(manifest.config())
        except NotInRegistryError:
            return None
        except ValueError as error:
            raise RegistryError("cache-failed", f"{self.name} holds no record under {key}: {error}") from error
        self._learn(manifest)
        return data

    def _read_small(self, blob: Descriptor) -> bytes:
        if blob.size > _MOST_BYTES:
            raise ValueError(f"{blob.size} bytes")
        return b"".join(self._registry.blob(self._repository, blob.digest, blob.size))

    def _learn(self, manifest: Manifest) -> None:
        with self._lock:
            for layer in manifest.layers():
                diff_id = dict(layer.annotations).get(_DIFF_ID)
                if diff_id:
                    self._blobs[diff_id] = _Blob(layer.digest, layer.size)

    def write_record(self, key: str, data: bytes, diff_ids: Sequence[str], *, replace: bool) -> None:
        """Keep a record: its blob first, then the manifest that names everything."""
        reference = self._tagged(key)
        if not replace and self._is_there(reference):
            return
        config = Descriptor(_RECORD, self._registry.put_blob(self._repository, data), len(data))
        with self._lock:
            blobs = {diff_id: self._blobs[diff_id] for diff_id in diff_ids}
        layers = [
            Descriptor(_LAYER, blob.digest, blob.size, annotations=((_DIFF_ID, diff_id),))
            for diff_id, blob in blobs.items()
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
        self._registry.put_manifest(reference, encode_json(manifest), OCI_MANIFEST)

    def _is_there(self, reference: Reference) -> bool:
        try:
            self._registry.head_manifest(reference, (OCI_MANIFEST,))
        except NotInRegistryError:
            return False
        return True

    def has_layer(self, diff_id: str) -> bool:
        """Tell whether a layer is there; one that no record of this run told of counts as missing."""
        with self._lock:
            blob = self._blobs.get(diff_id)
        return blob is not None and self._registry.has_blob(self._repository, blob.digest)

    def read_layer(self, diff_id: str) -> Iterator[bytes]:
        """Yield a packed layer."""
        with self._lock:
            blob = self._blobs.get(diff_id)
        if blob is None:
            raise MissingLayerError("cache-missing", f"no record in {self.name} tells of the layer {diff_id[:19]}")
        try:
            yield from self._registry.blob(self._repository, blob.digest, blob.size)
        except NotInRegistryError as error:
            raise MissingLayerError("cache-missing", f"{self.name} has no layer {diff_id[:19]}") from error

    def write_layer(self, layer: PackedLayer) -> None:
        """Keep a packed layer, unless the repository has it."""
        if not self._registry.has_blob(self._repository, layer.digest):
            self._registry.upload_blob(self._repository, layer.digest, layer.size, lambda: layer.file.open("rb"))
        with self._lock:
            self._blobs[layer.diff_id] = _Blob(layer.digest, layer.size)
            kept = {diff_id: (blob.digest, blob.size) for diff_id, blob in list(self._blobs.items())[-_KEPT:]}
            self._memory.set(_name(self.name), json.dumps(kept))

    def close(self) -> None:
        """Break off what is under way."""
        self._registry.close()

    def _tagged(self, key: str) -> Reference:
        return parse_reference(f"{self._repository.name}:zbuild-{key}")


def _recall(memory: Memory, repository: str) -> dict[str, _Blob]:
    kept = json.loads(memory.get(_name(repository)) or "{}")
    return {diff_id: _Blob(digest, size) for diff_id, (digest, size) in kept.items()}


def _name(repository: str) -> str:
    return f"layers in {repository}"
