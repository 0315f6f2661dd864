"""The keys of a graph's stages as machines share them, and what of results goes into them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from zbuild.base.errors import ZbuildError
from zbuild.plan.key import pending
from zbuild.plan.shared_key import shared_identity, shared_inputs, shared_key, shared_material, shared_selection_id
from zbuild.plan.sources import SelectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zbuild.api.sources import WorkspaceSources
    from zbuild.backend.protocol import Backend
    from zbuild.model.remote import RemoteOrigin
    from zbuild.model.steps import ContextOrigin, Selection
    from zbuild.plan.describe import Described
    from zbuild.plan.key import Item, Pending
    from zbuild.plan.recorded import Recorded
    from zbuild.plan.shared_key import SharedInputs


class NotSharedError(Exception):
    """A stage has an input that is not known well enough to be shared: files on the move, a base that is not here."""


class SharedKeys:
    """Computes each stage's shared inputs once; from any thread."""

    def __init__(self, sources: WorkspaceSources, backend: Backend) -> None:
        self._sources = sources
        self._backend = backend
        self._lock = threading.RLock()
        self._items: dict[str, tuple[Described, tuple[Item, ...]]] = {}
        self._static: dict[str, tuple[Described, SharedInputs]] = {}
        self._exports: dict[tuple[str, str], str] = {}

    def static(self, name: str, described: Mapping[str, Described]) -> SharedInputs:
        """Return a stage's inputs, other stages standing in by their own static keys. Raises NotSharedError."""
        with self._lock:
            item, known = self._static.get(name, (None, ()))
            if item is not described[name]:
                items = self._material(described[name])
                known = shared_inputs(items, lambda wanted: shared_key(self.static(wanted.vertex, described)))
                self._static[name] = (described[name], known)
            return known

    def resolved(self, item: Described, record_of: Callable[[str], Recorded]) -> SharedInputs:
        """Return a stage's inputs with what other stages came to, by their names.

        Raises NotSharedError, and BackendError when a result that must be looked into is gone.
        """
        return shared_inputs(self._material(item), lambda wanted: self.result(record_of(wanted.vertex), wanted))

    def result(self, record: Recorded, wanted: Pending) -> str:
        """Return what a recorded stage came to, as its readers on all machines see it. Raises BackendError."""
        if wanted.selection is None:
            return shared_identity(record.diff_ids, record.config)
        name = shared_selection_id(wanted.selection)
        known = dict(record.exports).get(name) or self._exports.get((record.image_id, name))
        return known or self._look_into(record.image_id, name, wanted.selection)

    def knows(self, record: Recorded, wanted: Pending) -> bool:
        """Tell whether a result need not be looked into."""
        if wanted.selection is None:
            return True
        name = shared_selection_id(wanted.selection)
        return name in dict(record.exports) or (record.image_id, name) in self._exports

    def exports(self, record: Recorded, name: str, described: Mapping[str, Described]) -> dict[str, str]:
        """Return the digests of all that others of the graph copy from a result, for them to need no layers of it."""
        wanted = {part for item in described.values() for part in pending(item.items) if part.vertex == name}
        return {
            shared_selection_id(part.selection): self.result(record, part)
            for part in wanted
            if part.selection is not None
        }

    def _look_into(self, image_id: str, name: str, selection: Selection) -> str:
        (digest,) = self._backend.tree_digest(image_id, [selection], shared=True)
        with self._lock:
            self._exports[image_id, name] = digest
        return digest

    def _material(self, item: Described) -> tuple[Item, ...]:
        with self._lock:
            known, items = self._items.get(item.vertex.id, (None, ()))
            if known is not item:
                if any(part.what == "base" and part.value in ("", "?") for part in item.items):
                    raise NotSharedError("its base is not here")
                items = shared_material(item, self._backend.name, _Digests(self._sources, item.vertex.settings.pull))
                self._items[item.vertex.id] = (item, items)
            return items


class _Digests:
    """What lies outside of stages, as sha256."""

    def __init__(self, sources: WorkspaceSources, pull: str) -> None:
        self._sources = sources
        self._pull = pull

    def context(self, origin: ContextOrigin, selection: Selection) -> str:
        try:
            digest = self._sources.shared_digest(origin, selection)
        except (SelectionError, ZbuildError) as error:
            raise NotSharedError(str(error)) from error
        if not digest:
            raise NotSharedError("its files change")
        return digest

    def remote(self, origin: RemoteOrigin) -> str:
        try:
            return self._sources.remote(origin, self._pull)
        except ZbuildError as error:
            raise NotSharedError(str(error)) from error
