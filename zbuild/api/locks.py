"""The lock file as builds use it: read once for each content, and what it lacks is told."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from zbuild.backend.local_names import is_local
from zbuild.base.diagnostic import Diagnostic
from zbuild.base.digest import xxh
from zbuild.base.errors import StateError
from zbuild.base.reference import parse_reference
from zbuild.base.span import Span
from zbuild.frontend.lock_file import LOCK_FILE, has_lock, parse_lock, read_lock_file
from zbuild.graph.base_uses import base_uses
from zbuild.model.lock import Lock, LockedBase
from zbuild.state import plancache
from zbuild.state.codec import Codec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zbuild.graph.base_uses import BaseUse
    from zbuild.graph.types import Graph
    from zbuild.state.folder import StateFolder


def read_lock(root: Path) -> Lock:
    """Return the workspace's lock, an empty one where there is none. Raises BuildFileError with all its problems."""
    return parse_lock(read_lock_file(root)) if has_lock(root) else Lock()


def load_lock(root: Path, folder: StateFolder) -> Lock:
    """Return the lock likewise; its text is parsed once, and what it says kept in the state."""
    if not has_lock(root):
        return Lock()
    data = read_lock_file(root)
    codec, name = Codec((Lock, LockedBase, Span)), f"{xxh(data)}.lock"
    with suppress(ValueError):
        kept = codec.decode(plancache.load(folder, name))
        if isinstance(kept, Lock):
            return kept
    lock = parse_lock(data)
    with suppress(StateError):  # it only saves time
        plancache.save(folder, name, codec.encode(lock))
    return lock


def lockable_uses(graph: Graph) -> Iterator[BaseUse]:
    """Yield the uses of images that a lock can hold: those whose references may come to mean something else."""
    for use in base_uses(graph.vertices):
        if not is_local(use.reference) and not parse_reference(use.reference).digest:
            yield use


def unlocked(graph: Graph, lock: Lock) -> tuple[Diagnostic, ...]:
    """Return what the stages of a graph want and the lock does not hold, each with its place."""
    known = lock.by_use()
    uses = [use for use in lockable_uses(graph) if (use.reference, str(use.vertex.platform)) not in known]
    return tuple(dict.fromkeys(map(_problem, uses)))


def _problem(use: BaseUse) -> Diagnostic:
    message = f"{use.reference} for {use.vertex.platform} is not in {LOCK_FILE}"
    return Diagnostic("not-locked", message, use.span, "add it with 'zbuild lock'")
