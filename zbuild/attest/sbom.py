"""What is in an image, as a CycloneDX document (version 1.6); cyclonedx-python-lib writes it.

That takes 100 ms to import, so import this module only where a document is made.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.attest.package import Package

SBOM_MEDIA_TYPE = "application/vnd.cyclonedx+json"
_PATH = "zbuild:path"


def sbom(name: str, digest: str, packages: Sequence[Package], *, created: float, version: str) -> str:
    """Return the document for an image; equal images made at the same time (unix time) give the same text.

    `digest` (`sha256:…`) is the manifest's, `version` zbuild's.
    """
    repository = name.rpartition("/")[2].partition(":")[0]
    image = Component(
        name=name,
        version=digest,
        type=ComponentType.CONTAINER,
        purl=PackageURL("oci", name=repository, version=digest),
        bom_ref=f"image:{digest}",
    )
    document = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"{name}@{digest}"),
        components=[_component(package) for package in packages],
        metadata=BomMetaData(
            component=image,
            timestamp=datetime.fromtimestamp(int(created), UTC),
            tools=ToolRepository(components=[_tool(version)]),
        ),
    )
    document.register_dependency(image, document.components)
    return JsonV1Dot6(document).output_as_string(indent=2) + "\n"


def _tool(version: str) -> Component:
    return Component(name="zbuild", version=version, type=ComponentType.APPLICATION)


def _component(package: Package) -> Component:
    purl = PackageURL(package.kind, package.namespace or None, package.name, package.version, dict(package.qualifiers))
    return Component(
        name=package.name,
        group=package.namespace or None,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=f"{purl}#{package.path}",
        properties=[Property(name=_PATH, value=package.path)],
    )
