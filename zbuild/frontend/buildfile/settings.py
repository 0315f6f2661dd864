"""The `defaults` of a workspace, and how an image's own settings go on top of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from zbuild.base.dataclass import dataclass
from zbuild.base.platform import parse_platform
from zbuild.frontend.buildfile.secrets import with_agents, with_secrets
from zbuild.frontend.values import cache_mounts

if TYPE_CHECKING:
    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.epoch import Reproducible
    from zbuild.model.mounts import CacheMount
    from zbuild.model.ops import Pairs
    from zbuild.model.project import ImageFormat, LayersMode
    from zbuild.model.secrets import Agents, Secrets
    from zbuild.syntax.nodes import Mapping


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """What `defaults` and images have in common; the fields are those of ImageSpec."""

    format: ImageFormat = "oci"
    build_args: Pairs = ()
    no_cache: bool = False
    cache_mounts: tuple[CacheMount, ...] = ()
    retries: int = 0
    platforms: tuple[str, ...] = ()
    pull: str = ""
    reproducible: Reproducible = None
    secrets: Secrets = ()
    ssh: Agents = ()
    layers: LayersMode = "auto"

    def with_node(self, node: Mapping, diagnostics: Diagnostics) -> ImageSettings:
        """Return these settings with what a mapping says instead.

        Build arguments, cache mounts, secrets and agents are added.
        """
        args = {key.text: value.text for key, value in node.mapping("build_args").pairs()}
        mounts = {mount.target: mount for mount in cache_mounts(node.mappings("cache_mounts"))}
        retries = node.number("retries")
        return replace(
            self,
            format=cast("ImageFormat", node.text("format") or self.format),  # the schema allows no other words
            build_args=tuple(sorted({**dict(self.build_args), **args}.items())),
            no_cache=node.flag("no_cache") if "no_cache" in node else self.no_cache,
            cache_mounts=tuple({**{mount.target: mount for mount in self.cache_mounts}, **mounts}.values()),
            retries=self.retries if retries is None else retries,
            platforms=_platforms(node, diagnostics) or self.platforms,
            pull=node.text("pull") or self.pull,
            reproducible=_reproducible(node, self.reproducible),
            secrets=with_secrets(self.secrets, node, diagnostics),
            ssh=with_agents(self.ssh, node),
            layers=cast("LayersMode", node.text("layers") or self.layers),
        )


def _reproducible(node: Mapping, before: Reproducible) -> Reproducible:
    value = node.scalar("reproducible")
    if value is None:
        return before
    return value.boolean if value.integer is None else value.integer


def _platforms(node: Mapping, diagnostics: Diagnostics) -> tuple[str, ...]:
    platforms = node.scalars("platforms")
    for platform in platforms:
        try:
            parse_platform(platform.text)
        except ValueError as error:
            diagnostics.error("bad-platform", str(error), platform.span)
    return tuple(platform.text for platform in platforms)
