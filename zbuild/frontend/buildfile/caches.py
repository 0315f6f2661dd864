"""`cache`: which remote caches a workspace reads from and writes to.

`type`, `path`, `bucket` … name one place for both; `from` and `to` are lists of places, and come after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.disk import parse_size
from zbuild.base.duration import parse_age
from zbuild.model.caches import CacheSettings
from zbuild.syntax.cache_places import bucket_place, folder_place, parse_cache_place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.model.caches import CachePlace
    from zbuild.syntax.nodes import Mapping, Scalar

    _T = TypeVar("_T", float, int)


def workspace_caches(root: Mapping, folder: str, diagnostics: Diagnostics) -> CacheSettings:
    """Read the section of a build file in `folder`, an absolute one; what is wrong with it is noted."""
    node = root.mapping("cache")
    both = _typed(node, folder, diagnostics)
    sources = (*both, *_places(node.scalars("from"), folder, diagnostics))
    targets = (*both, *_places(node.scalars("to"), folder, diagnostics))
    return CacheSettings(
        tuple(dict.fromkeys(sources)),
        () if node.flag("read_only") else tuple(dict.fromkeys(targets)),
        _number(node.scalar("ttl"), parse_age, 0.0, diagnostics),
        _number(node.scalar("max_size"), parse_size, 0, diagnostics),
    )


def _typed(node: Mapping, folder: str, diagnostics: Diagnostics) -> tuple[CachePlace, ...]:
    """Return the place that `type` speaks of; `memory` is none: what one run knows, the records know as well."""
    kind = node.scalar("type")
    needs = {"persistent": "path", "s3": "bucket"}.get(kind.text, "") if kind else ""
    if not kind or not needs:
        return ()
    if needs not in node:
        diagnostics.error("missing-key", f"a cache of type {kind.text} needs '{needs}'", kind.span)
        return ()
    if kind.text == "persistent":
        return (folder_place(node.text("path"), folder),)
    endpoint = node.scalar("endpoint")
    try:
        settings = (node.text(name) for name in ("bucket", "prefix", "region", "endpoint"))
        return (bucket_place(*settings),)
    except ValueError as error:
        diagnostics.error("bad-cache", str(error), endpoint.span if endpoint else kind.span)
        return ()


def _places(texts: Sequence[Scalar], folder: str, diagnostics: Diagnostics) -> list[CachePlace]:
    places = []
    for text in texts:
        try:
            places.append(parse_cache_place(text.text, folder))
        except ValueError as error:
            diagnostics.error("bad-cache", str(error), text.span)
    return places


def _number(value: Scalar | None, parse: Callable[[str], _T], nothing: _T, diagnostics: Diagnostics) -> _T:
    if value is None:
        return nothing
    try:
        return parse(value.text)
    except ValueError as error:
        diagnostics.error("bad-value", str(error), value.span)
        return nothing
