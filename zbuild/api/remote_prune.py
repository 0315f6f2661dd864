"""Frees room in a remote cache, for those that nobody else keeps small."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.api.cache import Pruned
from zbuild.base.errors import UsageError
from zbuild.base.text import plural, size_text
from zbuild.cache.folder import FolderStore
from zbuild.cache.policy import Allowed, prune
from zbuild.cache.s3 import S3Store, check_client
from zbuild.syntax.cache_places import parse_cache_place

if TYPE_CHECKING:
    from zbuild.api.cache import PruneChoices
    from zbuild.cache.policy import Amount
    from zbuild.cache.protocol import PrunableStore
    from zbuild.model.caches import CachePlace


def prune_remote(place: str, choices: PruneChoices) -> Pruned:
    """Remove from a folder or bucket what was not used for long, what is over its size, and what no record needs.

    Raises UsageError for a place that is none, is not there or cannot be pruned, BackendError without a client,
    RegistryError.
    """
    try:
        store = _open(parse_cache_place(place, str(Path.cwd())))
    except ValueError as error:
        raise UsageError("bad-cache", str(error)) from None
    allowed = Allowed(choices.older_than, choices.keep_size or 0)
    removal = prune(store, allowed, time.time(), dry_run=choices.dry_run)
    return Pruned(_told(removal.gone), removal.gone.size, _why_waiting(removal.waiting))


def _told(amount: Amount) -> tuple[str, ...]:
    counts = {"record": amount.records, "layer": amount.layers}
    return tuple(plural(count, what) for what, count in counts.items() if count)


def _why_waiting(waiting: Amount) -> str:
    what = " and ".join(_told(waiting))
    why = "layers that were used within the last hour may be needed by a build that goes on"
    return f"kept for now: {what} ({size_text(waiting.size)}); {why}" if what else ""


def _open(place: CachePlace) -> PrunableStore:
    match place.kind:
        case "folder":
            if not Path(place.path).is_dir():
                raise UsageError("no-cache", f"there is no cache at {place.path}")
            return FolderStore(Path(place.path))
        case "s3":
            check_client(place)
            return S3Store(place)
        case "registry":
            hint = "delete tags there, and let the registry collect its garbage"
            raise UsageError("bad-cache", f"{place} is a registry's, which keeps its room itself", hint=hint)
