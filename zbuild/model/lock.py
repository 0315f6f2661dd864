"""The lock: which manifest each base image means, for each platform, whatever its tag has become since."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.model.ops import NOWHERE

if TYPE_CHECKING:
    from zbuild.base.span import Span


@dataclass(frozen=True, slots=True)
class LockedBase:
    """One base for one platform: `reference` is in full, `digest` (`sha256:…`) that of the platform's own manifest.

    `locked` is when the reference came to mean it (RFC 3339, UTC), `asked_by` the stages that want it, both for people.
    """

    reference: str
    platform: str
    digest: str
    locked: str = ""
    asked_by: tuple[str, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Lock:
    """What a workspace's lock file says; `present` is False where there is none."""

    bases: tuple[LockedBase, ...] = ()
    present: bool = False

    def by_use(self) -> dict[tuple[str, str], LockedBase]:
        """Return the bases by reference and platform."""
        return {(base.reference, base.platform): base for base in self.bases}
