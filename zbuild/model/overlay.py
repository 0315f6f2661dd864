"""What one run lays over a workspace's build file."""

from __future__ import annotations

from zbuild.base.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Overlay:
    """Laid over the build file in this order, each winning over those before it.

    `files` are further build files, relative to the workspace; `profiles` are names from `profiles`; `settings` are
    paths with their values, as `--set images.api.tags+=x` gives them.
    """

    files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
