"""What builds of a workspace keep on disk: listed, summed up, and removed."""

from __future__ import annotations

import shutil
import time
from dataclasses import field, replace
from typing import TYPE_CHECKING

from zbuild.api.cache_images import KeptImages, shown
from zbuild.api.graphs import load_graph
from zbuild.api.notices import unheard, waiting_for
from zbuild.api.options import BuildOptions
from zbuild.api.session import Session
from zbuild.backend.cache_folders import list_caches, remove_cache
from zbuild.base.dataclass import dataclass
from zbuild.base.disk import tree_size
from zbuild.base.errors import RegistryError
from zbuild.base.text import plural
from zbuild.plan.key import prefix_keys
from zbuild.plan.planner import result_of
from zbuild.state.folder import StateFolder
from zbuild.state.lock import WorkspaceLock
from zbuild.state.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from zbuild.api.graphs import Reading
    from zbuild.backend.protocol import ImageUse
    from zbuild.graph.types import Graph
    from zbuild.plan.key import Pending
    from zbuild.plan.planner import Decision


@dataclass(frozen=True, slots=True)
class CachedStage:
    """A record: times are unix time, `size` is bytes over all layers of the image.

    Of a checkpoint, `stage` also says how far it goes: `api/build (2 of 5)`. `needed`: the build files as they are now
    lead to it. `present`: its image is in the store. `tags` are the names that users gave that image.
    """

    stage: str
    key: str
    image_id: str
    size: int
    created: float
    used: float
    needed: bool
    present: bool
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DiskUse:
    """One kind of thing, or one cache mount by its id (`name`), in bytes; `unused` is what `prune` would remove."""

    kind: str
    name: str
    count: int
    size: int
    unused: int


@dataclass(frozen=True, slots=True)
class PruneChoices:
    """What to remove: what the build files do not lead to, or with `everything` all but what has a user's name.

    Of that, what was not used for `older_than` seconds, and of the images only as many, the least lately used first,
    as leave `keep_size` bytes. `mounts`: cache mounts as well. `dry_run`: nothing is removed.
    """

    older_than: float = 0.0
    keep_size: int | None = None
    everything: bool = False
    mounts: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, in words, and how many bytes are free by that; of a dry run, what would be.

    `waiting` says what stays for now, and why.
    """

    removed: tuple[str, ...]
    size: int
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class WorkspaceCache:
    """The cache of a workspace. Methods raise BuildFileError when the build files are wrong, BackendError, StateError.

    `notice` is told what people should know.
    """

    root: Path
    reading: Reading
    options: BuildOptions = field(default_factory=BuildOptions)
    notice: Callable[[str], None] = unheard

    def stages(self) -> tuple[CachedStage, ...]:
        """Return every record, in the order written, then every checkpoint."""
        folder = StateFolder.open(self.root)
        with self._session(folder) as session:
            kept = KeptImages.of(session)
            needed = self._needed(session, folder)
            return tuple(
                CachedStage(
                    stage=shown(record),
                    key=record.key,
                    image_id=record.image_id,
                    size=record.size,
                    created=record.created,
                    used=kept.last_used[record.key],
                    needed=record.key in needed,
                    present=record.image_id in kept.usage,
                    tags=kept.tags(record.image_id),
                )
                for record in kept.records
            )

    def usage(self) -> tuple[DiskUse, ...]:
        """Sum up what is on disk: images, each cache mount, what was fetched, the state, the logs."""
        folder = StateFolder.open(self.root)
        with self._session(folder) as session:
            kept = KeptImages.of(session)
            victims = kept.victims(self._needed(session, folder), time.time())
        caches = list_caches(folder.mounts)
        fetched, logs = list(folder.fetched.iterdir()), list(folder.logs.iterdir())
        apart = (folder.mounts, folder.fetched, folder.logs)
        state = [path for path in folder.path.iterdir() if path not in apart]
        return (
            DiskUse("images", "", len(kept.present), kept.own_size(kept.present), kept.own_size(victims.images)),
            *(DiskUse("cache mount", cache.id, 1, cache.size, 0) for cache in caches),
            *(
                DiskUse(kind, "", len(paths), sum(map(tree_size, paths)), 0)
                for kind, paths in (("fetched", fetched), ("logs", logs), ("state", state))
            ),
        )

    def prune(self, choices: PruneChoices | None = None) -> Pruned:
        """Remove what is not needed, and what dead runs left; wait for another build unless `options.wait` is False.

        Whatever is removed, the next build is slower at most. Images with a name that a user gave stay, and so do
        those that a container stands on.
        """
        choices = choices or PruneChoices()
        folder = StateFolder.open(self.root)

        def waiting(holder: str) -> None:
            self.notice(waiting_for(holder))

        with WorkspaceLock(folder.lock).acquire(self.options.wait, waiting):
            images = self._prune_images(folder, choices)
            others = [*_prune_mounts(folder, choices), *_prune_fetched(folder, choices)]
        removed = (*images.removed, *(what for what, _ in others))
        return Pruned(removed, images.size + sum(size for _, size in others))

    def _prune_images(self, folder: StateFolder, choices: PruneChoices) -> Pruned:
        with self._session(folder) as session:
            before = session.backend.usage()
            swept = () if choices.dry_run else session.sweep()
            kept = KeptImages.of(session)
            needed = frozenset[str]() if choices.everything else self._needed(session, folder)
            victims = kept.victims(needed, time.time() - choices.older_than)
            if choices.keep_size is not None:
                victims = kept.within(victims, choices.keep_size)
            if choices.dry_run:
                return Pruned(_words(session, kept, victims.images), kept.own_size(victims.images))
            session.backend.remove(victims.images)
            after = session.backend.usage()
            session.records.forget([record.key for record in victims.records if record.image_id not in after])
            gone = tuple(image for image in victims.images if image not in after)
            freed = _layers(before).items() - _layers(after).items()
            return Pruned((*swept, *_words(session, kept, gone)), sum(size for _, size in freed))

    def _needed(self, session: Session, folder: StateFolder) -> frozenset[str]:
        """Return the keys of the records that the build files lead to now, of all images of the workspace.

        For a stage that would run that is its newest one: what it comes to may be equal to it. Of checkpoints, it is
        all that stages as they are now could begin at. Nothing is pulled or fetched to find out; where that would be
        necessary, all records of the stages there are count as needed.
        """
        names = tuple(spec.name for spec in self.reading.project().images)
        graph = load_graph(self.reading, folder, names, self.options, checking=True).graph
        try:
            decisions = session.decide(graph)
        except RegistryError as error:
            self.notice(f"{error.message}: every result of a stage that the build files have counts as needed")
            stages = {vertex.id for vertex in graph.vertices}
            kept = KeptImages.of(session).records
            return frozenset(record.key for record in kept if record.stage in stages)
        finally:
            session.sources.save()
        return frozenset(_keys(graph, decisions, session))

    def _session(self, folder: StateFolder) -> Session:
        return Session(self.root, folder, replace(self.options, pull="never"), self.notice)


def _keys(graph: Graph, decisions: Mapping[str, Decision], session: Session) -> Iterator[str]:
    def result(wanted: Pending) -> str | None:
        return result_of(decisions[wanted.vertex].record, wanted)

    for vertex in graph.vertices:
        decision = decisions[vertex.id]
        yield from prefix_keys(decision.described.material, result)
        if isinstance(decision.record, Record):
            yield decision.record.key
        elif (latest := session.records.latest(vertex.id)) is not None:
            yield latest.key


def _words(session: Session, kept: KeptImages, images: Collection[str]) -> tuple[str, ...]:
    stages = {record.image_id: shown(record) for record in reversed(kept.records)}
    is_image = session.backend.is_image
    return tuple(f"{'image' if is_image(image) else 'files'} {image[:12]} of {stages[image]}" for image in images)


def _layers(usage: Mapping[str, ImageUse]) -> dict[str, int]:
    return {layer: size for use in usage.values() for layer, size in use.layers.items()}


def _prune_mounts(folder: StateFolder, choices: PruneChoices) -> list[tuple[str, int]]:
    """Remove cache mounts, and return them in words with the bytes that were freed."""
    limit = time.time() - choices.older_than
    old = [cache for cache in list_caches(folder.mounts) if cache.used <= limit] if choices.mounts else []
    return [(f"cache mount {cache.id}", cache.size if choices.dry_run else remove_cache(cache)) for cache in old]


def _prune_fetched(folder: StateFolder, choices: PruneChoices) -> list[tuple[str, int]]:
    """Remove files and repositories that were fetched, likewise; what their names led to stays noted."""
    if not choices.everything:
        return []
    limit = time.time() - choices.older_than
    old = [path for path in folder.fetched.iterdir() if path.is_dir() and path.stat().st_mtime <= limit]
    size = sum(map(tree_size, old))
    if not choices.dry_run:
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
    return [(f"{plural(len(old), 'folder')} of what was fetched", size)] if old else []
