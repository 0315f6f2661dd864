"""A package, as any ecosystem has it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from zbuild.base.dataclass import dataclass

Qualifiers: TypeAlias = "tuple[tuple[str, str], ...]"


class UnreadableError(ValueError):
    """A record that is not what its name says."""


@dataclass(frozen=True, slots=True)
class Package:
    """Something installed. `kind`, `namespace` and `qualifiers` are those of package URLs (purl-spec).

    `path` is the file in the image that tells of it.
    """

    kind: str
    name: str
    version: str
    namespace: str = ""
    qualifiers: Qualifiers = ()
    path: str = ""

    def at(self, path: str) -> Package:
        """Return the package as told of by a file."""
        return replace(self, path=path)
