"""What an image asks of its stages: what its build file says, and what the command line adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.graph.types import Settings

if TYPE_CHECKING:
    from zbuild.graph.types import OutputOptions
    from zbuild.model.ops import Pairs
    from zbuild.model.project import ImageSpec


def image_settings(spec: ImageSpec, epoch: int | None, given: OutputOptions) -> Settings:
    """Return the settings of an image; `epoch` is the time that its files bear, None for that of the build."""
    return Settings(
        format=spec.format,
        retries=spec.retries,
        cache_mounts=spec.cache_mounts,
        no_cache=spec.no_cache,
        labels=_merged(spec.labels, given.labels),
        annotations=_merged(spec.annotations, given.annotations),
        pull=spec.pull,
        epoch=epoch,
        secrets=spec.secrets,
        ssh=spec.ssh,
        layers=spec.layers,
        squash=spec.squash or given.squash,
    )


def _merged(pairs: Pairs, given: Pairs) -> Pairs:
    return tuple(sorted({**dict(pairs), **dict(given)}.items()))
