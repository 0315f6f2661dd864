"""The media types of images, and descriptors: what a piece of content is, before it is fetched (OCI image spec)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zbuild.base.dataclass import dataclass
from zbuild.base.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

INDEXES = (OCI_INDEX, DOCKER_LIST)
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST, *INDEXES)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Names content by type, digest (`sha256:…`) and size in bytes; `platform` is told in an index."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    annotations: tuple[tuple[str, str], ...] = ()
    artifact_type: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as it stands in manifests."""
        told: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform is not None:
            parts = {"architecture": self.platform.architecture, "os": self.platform.os}
            told["platform"] = parts | ({"variant": self.platform.variant} if self.platform.variant else {})
        if self.annotations:
            told["annotations"] = dict(self.annotations)
        if self.artifact_type:
            told["artifactType"] = self.artifact_type
        return told


def descriptor_from_json(told: Mapping[str, Any]) -> Descriptor:
    """Read a descriptor. Raises ValueError for one that misses a part."""
    try:
        return Descriptor(
            media_type=str(told["mediaType"]),
            digest=str(told["digest"]),
            size=int(told["size"]),
            platform=_platform(told.get("platform")),
            annotations=tuple((str(name), str(value)) for name, value in (told.get("annotations") or {}).items()),
            artifact_type=str(told.get("artifactType", "")),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"a descriptor is not well formed: {error!r}") from None


def _platform(told: Mapping[str, Any] | None) -> Platform | None:
    if not told:
        return None
    return Platform(str(told.get("os", "")), str(told.get("architecture", "")), str(told.get("variant", "")))
