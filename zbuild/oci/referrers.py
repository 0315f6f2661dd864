"""What is attached to an image: manifests that name it as their subject (OCI distribution spec, "Listing Referrers").

Registries that do not list them keep the list under a tag, which whoever attaches something has to bring up to date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zbuild.base.dataclass import dataclass
from zbuild.oci.documents import encode_json
from zbuild.oci.media import OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, Descriptor

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPTY = b"{}"  # the config of a manifest that is no image


@dataclass(frozen=True, slots=True)
class Attachment:
    """One blob to be attached: `media_type` and `artifact_type` say what it is; annotations go to its manifest."""

    data: bytes
    media_type: str
    artifact_type: str
    annotations: tuple[tuple[str, str], ...] = ()


def attachment_manifest(attachment: Attachment, subject: Descriptor, blob: str, config: str) -> bytes:
    """Return the manifest that attaches a blob to an image; `blob` and `config` are the digests of its two parts."""
    layer = Descriptor(attachment.media_type, blob, len(attachment.data))
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": attachment.artifact_type,
        "config": Descriptor(OCI_EMPTY, config, len(EMPTY)).to_json(),
        "layers": [layer.to_json()],
        "subject": Descriptor(subject.media_type, subject.digest, subject.size).to_json(),
    }
    if attachment.annotations:
        document["annotations"] = dict(attachment.annotations)
    return encode_json(document)


def fallback_tag(digest: str) -> str:
    """Return the tag that holds the list of what is attached to a digest."""
    return digest.replace(":", "-")


def referrers_index(entries: Sequence[Descriptor]) -> bytes:
    """Return the list as it is kept under that tag."""
    return encode_json(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry.to_json() for entry in entries]}
    )


def of_type(entries: Sequence[Descriptor], artifact_type: str) -> tuple[Descriptor, ...]:
    """Return those of a type, "" for all: a registry need not choose by itself."""
    return tuple(entry for entry in entries if artifact_type in ("", entry.artifact_type))
