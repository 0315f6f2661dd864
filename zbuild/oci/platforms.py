"""Which entry of an image index is for a platform, by the rules of containerd and buildah."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.base.platform import Platform
    from zbuild.oci.media import Descriptor

# An index may leave out the variant that is the only one, or the least, of its architecture.
_IMPLIED = {"arm64": "v8", "amd64": "v1", "arm": "v7"}


def choose(entries: Sequence[Descriptor], platform: Platform) -> Descriptor | None:
    """Return the entry for a platform, None when there is none.

    An image for a lesser variant runs as well: of those the nearest is taken. Among equals the first one counts.
    """
    wanted = _rank(platform)
    found = [
        entry
        for entry in entries
        if entry.platform is not None
        and (entry.platform.os, entry.platform.architecture) == (platform.os, platform.architecture)
        and _rank(entry.platform) <= wanted
    ]
    return max(found, key=lambda entry: _rank(entry.platform), default=None)


def _rank(platform: Platform | None) -> int:
    """Return the number in a variant: 7 of `v7`, 0 where there is none."""
    if platform is None:
        return 0
    digits = (platform.variant or _IMPLIED.get(platform.architecture, "")).removeprefix("v")
    return int(digits) if digits.isdecimal() else 0
