"""Frees room in a remote cache, for those that nobody else keeps small."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.api.cache import Pruned
from zbuild.base.errors import UsageError
from zbuild.base.text import plural
from zbuild.cache.folder import FolderStore
from zbuild.cache.policy import Allowed, prune
from zbuild.cache.s3 import S3Store, check_client
from zbuild.syntax.cache_places import parse_cache_place

if TYPE_CHECKING:
    from zbuild.api.cache import PruneChoices
    from zbuild.cache.protocol import PrunableStore
    from zbuild.model.caches import CachePlace


def prune_remote(place: str, choices: PruneChoices) -> Pruned:
    """Remove from a folder or bucket what was not used for long, what is over its size, and what no record needs.

    Raises UsageError for a place that is none or cannot be pruned, BackendError without a client, RegistryError.
    """
    try:
        store = _open(parse_cache_place(place, str(Path.cwd())))
    except ValueError as error:
        raise UsageError("bad-cache", str(error)) from None
    allowed = Allowed(choices.older_than, choices.keep_size or 0)
    removal = prune(store, allowed, time.time(), dry_run=choices.dry_run)
    counts = {"record": removal.records, "layer": removal.layers}
    return Pruned(tuple(plural(count, what) for what, count in counts.items() if count), removal.size)


def _open(place: CachePlace) -> PrunableStore:
    match place.kind:
        case "folder":
            return FolderStore(Path(place.path))
        case "s3":
            check_client(place)
            return S3Store(place)
        case "registry":
            hint = "delete tags there, and let the registry collect its garbage"
            raise UsageError("bad-cache", f"{place} is a registry's, which keeps its room itself", hint=hint)
