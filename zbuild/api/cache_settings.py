"""Which remote caches a run uses: those of the options, else those of the build files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.errors import UsageError
from zbuild.syntax.cache_places import parse_cache_place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zbuild.api.options import BuildOptions
    from zbuild.model.caches import CachePlace, CacheSettings


def effective(chosen: CacheSettings, options: BuildOptions, root: Path) -> CacheSettings:
    """Return the settings of a run; relative folders among the options' places are relative to `root`.

    Raises UsageError for what is no place.
    """
    if options.cache_from:
        chosen = replace(chosen, sources=_places(options.cache_from, root))
    if options.cache_to:
        chosen = replace(chosen, targets=_places(options.cache_to, root))
    if options.cache_ttl:
        chosen = replace(chosen, ttl=options.cache_ttl)
    return replace(chosen, targets=()) if options.cache_read_only else chosen


def _places(texts: Sequence[str], root: Path) -> tuple[CachePlace, ...]:
    try:
        return tuple(parse_cache_place(text, str(root)) for text in texts)
    except ValueError as error:
        raise UsageError("bad-cache", str(error)) from None
