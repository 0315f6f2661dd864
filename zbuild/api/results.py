"""What the stages of a run came to, as those who read them see it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.backend.protocol import BaseImage
from zbuild.base.digest import xxh
from zbuild.graph.types import FromVertex
from zbuild.plan.key import identity, pending, selection_id
from zbuild.plan.planner import result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zbuild.backend.protocol import Backend
    from zbuild.model.steps import Selection
    from zbuild.plan.describe import Described
    from zbuild.plan.key import Pending
    from zbuild.state.record import Record
    from zbuild.state.records import RecordStore


class Results:
    """The records of finished stages by name; what they do not tell is asked of the backend, and added to them."""

    def __init__(
        self,
        described: Mapping[str, Described],
        records: RecordStore,
        backend: Backend,
        known: Mapping[str, Record],
        ensure: Callable[[str], object],
    ) -> None:
        """`ensure` sees that a stage's image is in the store before it is looked into."""
        self._ensure = ensure
        self._described = described
        self._records = records
        self._backend = backend
        self._known = dict(known)
        self._bases = {part.vertex for item in described.values() for part in pending(item.items) if not part.selection}

    def __getitem__(self, name: str) -> Record:
        return self._known[name]

    def __setitem__(self, name: str, record: Record) -> None:
        self._known[name] = record

    def resolve(self, wanted: Pending) -> str:
        """Return what a finished stage came to: its files that are selected, or all of it."""
        record = self._known[wanted.vertex]
        known = result_of(record, wanted)
        if known is not None:
            return known
        if wanted.selection is None:
            return identity(self._look_into(wanted.vertex, record), record.config)
        self._ensure(wanted.vertex)
        (digest,) = self._backend.tree_digest(record.image_id, [wanted.selection])
        name = selection_id(wanted.selection)
        self._records.add_export(record.key, name, digest)
        self._known[wanted.vertex] = replace(record, exports=(*record.exports, (name, digest)))
        return digest

    def base(self, described: Described) -> BaseImage | None:
        """Return the image that a stage starts from, None for scratch."""
        base = described.vertex.base
        if isinstance(base, FromVertex):
            record = self._known[base.vertex]
            config = self._described[base.vertex].evaluation.config
            return BaseImage(record.image_id, record.digest, config, record.diff_ids)
        return described.base if isinstance(described.base, BaseImage) else None

    def content(self, described: Described, image_id: str, diff_ids: tuple[str, ...]) -> str:
        """Return what names all that a new result's layers hold, "" while no stage starts from it."""
        return self._content(described, image_id, diff_ids) if described.vertex.id in self._bases else ""

    def _look_into(self, name: str, record: Record) -> str:
        self._ensure(name)
        content = self._content(self._described[name], record.image_id, record.diff_ids)
        self._records.set_content(record.key, content)
        self._known[name] = replace(record, content=content)
        return content

    def _content(self, described: Described, image_id: str, diff_ids: tuple[str, ...]) -> str:
        """Name what layers hold: the stage's own by their files, those of images that are not built here as they are.

        Where that cannot be told, all count as they are, times and all.
        """
        name = described.vertex.base.vertex if isinstance(described.vertex.base, FromVertex) else ""
        if name and name not in self._known:
            return xxh(diff_ids)
        base = self.base(described)
        below = base.diff_ids if base else ()
        own = self._backend.layers_digest(image_id, len(below)) if _stands_on(diff_ids, below) else ""
        if not own:
            return xxh(diff_ids)
        return xxh(((self._known[name].content or self._look_into(name, self._known[name])) if name else below, own))


def _stands_on(diff_ids: tuple[str, ...], below: tuple[str, ...]) -> bool:
    """Tell whether layers begin with those of a base; what was no image has got another name where it became one."""
    begun = zip(diff_ids, below, strict=False)
    return len(diff_ids) >= len(below) and all(own == base or not base.startswith("sha256:") for own, base in begun)


def wanted_exports(described: Mapping[str, Described]) -> dict[str, tuple[Selection, ...]]:
    """Return, for each stage, the selections that others take from it."""
    wanted: defaultdict[str, dict[Selection, None]] = defaultdict(dict)
    for item in described.values():
        for part in pending(item.items):
            if part.selection is not None:
                wanted[part.vertex][part.selection] = None
    return {name: tuple(selections) for name, selections in wanted.items()}
