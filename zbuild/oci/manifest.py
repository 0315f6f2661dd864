"""Manifests and indexes: raw bytes that a digest names, and what is read from them (OCI image spec)."""

from __future__ import annotations

from typing import Any

from zbuild.base.dataclass import dataclass
from zbuild.oci.documents import decode_json
from zbuild.oci.layout import sha256_digest
from zbuild.oci.media import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEXES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    descriptor_from_json,
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index as a registry holds it; `raw` is what `digest` names."""

    raw: bytes
    media_type: str
    digest: str

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests, one for a platform."""
        return self.media_type in INDEXES

    def document(self) -> dict[str, Any]:
        """Return what it says. Raises ValueError when it is no JSON object."""
        return decode_json(self.raw)

    def entries(self) -> tuple[Descriptor, ...]:
        """Return the manifests of an index. Raises ValueError."""
        return tuple(map(descriptor_from_json, self.document().get("manifests") or ()))

    def config(self) -> Descriptor:
        """Return the configuration of an image. Raises ValueError."""
        return descriptor_from_json(self.document().get("config") or {})

    def layers(self) -> tuple[Descriptor, ...]:
        """Return the layers of an image, lowest first. Raises ValueError."""
        return tuple(map(descriptor_from_json, self.document().get("layers") or ()))

    def descriptor(self) -> Descriptor:
        """Return what names it in an index."""
        return Descriptor(self.media_type, self.digest, len(self.raw))


def read_manifest(raw: bytes, told_type: str = "") -> Manifest:
    """Return a manifest; its type is the one it tells itself, or that it was sent as, or that its parts show."""
    try:
        document = decode_json(raw)
    except ValueError:
        return Manifest(raw, told_type, sha256_digest(raw))
    own = str(document.get("mediaType") or "")
    shown = OCI_INDEX if "manifests" in document else OCI_MANIFEST
    told = told_type.partition(";")[0].strip()
    known = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
    return Manifest(raw, own or (told if told in known else shown), sha256_digest(raw))
