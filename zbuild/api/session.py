"""State and backend opened for one command, and the plan they give."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zbuild.api.again import stages_to_run
from zbuild.api.checkpoints import CommitPrice
from zbuild.api.graphs import file_clock
from zbuild.api.locks import load_lock, unlocked
from zbuild.api.remote import NoRemoteCache
from zbuild.api.sources import WorkspaceSources
from zbuild.backend.protocol import Unfinished
from zbuild.backend.select import choose_backend
from zbuild.base.errors import BuildFileError
from zbuild.fetch.bases import Bases
from zbuild.fetch.meanings import Meanings
from zbuild.fetch.registries import Registries
from zbuild.fetch.remotes import Remotes
from zbuild.fetch.store import FetchedStore
from zbuild.plan.describe import describe
from zbuild.plan.planner import Held, decide, make_plan
from zbuild.state.machine import MachineMemory
from zbuild.state.records import RecordStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from zbuild.api.options import BuildOptions
    from zbuild.api.remote import Remote
    from zbuild.graph.types import Graph
    from zbuild.model.caches import CacheSettings
    from zbuild.oci.registry import Registry
    from zbuild.oci.retries import Limits
    from zbuild.plan.planner import Decision
    from zbuild.plan.types import Plan
    from zbuild.state.folder import StateFolder


class Session:
    """Holds the record store, the backend and the sources while one command runs; close it by `with`."""

    def __init__(
        self,
        root: Path,
        folder: StateFolder,
        options: BuildOptions,
        notice: Callable[[str], None],
        tell: Callable[[str], None] = lambda _message: None,
        *,
        only_look: bool = False,
    ) -> None:
        """With `only_look`, images that are not to be had are no error; one that is not here is never pulled."""
        self._only_look = only_look
        self._options = options
        self.root = root
        self._folder = folder
        self._notice = notice
        self._tell = tell
        self.remote: Remote = NoRemoteCache()

    def __enter__(self) -> Self:
        self.records = RecordStore.open(self._folder, self._notice)
        memory = MachineMemory(self.records.memory)
        self.backend = choose_backend(
            self._options.backend, workspace=self.root, state=self._folder.path, memory=memory
        )
        self.price = CommitPrice(memory, self.backend.name)
        self.remotes = Remotes(self._folder.fetched, self._tell, self._notice)
        self.lock = load_lock(self.root, self._folder)
        self.registries = open_registries()
        self.bases = Bases(
            self.backend,
            Meanings(FetchedStore(self._folder.fetched), self.registries.asker),
            self.lock.by_use(),
            self._tell,
            self._notice,
            self.registries.close,
            only_look=self._only_look,
        )
        self.sources = WorkspaceSources(self.root, self._folder.stat, self.bases, self.remotes, self._options.pull)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.registries.close()
            self.remote.close()
            self.backend.close()
        finally:
            self.records.close()

    def sweep(self) -> tuple[str, ...]:
        """Clear away what dead runs left, and say what it was; the caller holds the workspace's lock.

        That is why every unfinished order is of a dead run.
        """
        unfinished = [Unfinished(order.names, order.started) for order in self.records.unfinished()]
        removed = self.backend.sweep(self.records.all_image_ids(), unfinished)
        if unfinished:
            self.records.clear_unfinished()
        return removed

    def check_lock(self, graph: Graph) -> None:
        """Tell of the bases that the lock, where there is one, does not hold; with `locked` that is an error.

        Raises BuildFileError.
        """
        problems = unlocked(graph, self.lock) if self.lock.present or self._options.locked else ()
        if problems and self._options.locked:
            raise BuildFileError(problems)
        for problem in problems:
            self._notice(f"{problem.span}: {problem.message}: the registry is asked; {problem.hint}")

    def decide(self, graph: Graph) -> dict[str, Decision]:
        """Decide what will be done with every stage of the graph. Raises UsageError for an unknown one to run again."""
        self.sources.prepare_bases(graph.vertices)
        described = describe(graph, self.sources, self.backend.name)
        self.present = dict(self.backend.images())
        self.again = stages_to_run(graph, self._options)
        self._open_remote(graph.cache)
        no_images = [image_id for image_id in self.present if not self.backend.is_image(image_id)]
        held = Held(self.present, no_images, self.as_images(graph))
        return decide(graph, described, self.records, held, self.again, self.remote)

    def as_images(self, graph: Graph) -> frozenset[str]:
        """Return the stages whose results must be images: where they are shared with other machines, all."""
        return frozenset(graph.by_id()) if self.remote.shares else graph.as_images()

    def _open_remote(self, chosen: CacheSettings) -> None:
        """Open the remote caches of the build files or of the options, unless that is done; nothing is asked of them.

        Raises UsageError for what is no place, BackendError when what a place needs is not installed.
        """
        options = self._options
        if not isinstance(self.remote, NoRemoteCache) or not (options.has_caches or chosen.sources or chosen.targets):
            return
        from zbuild.api.cache_settings import effective  # noqa: PLC0415 - few builds have remote caches
        from zbuild.api.remote_cache import RemoteCache  # noqa: PLC0415 - likewise

        settings = effective(chosen, options, self.root)
        memory = self.records.memory
        self.remote = RemoteCache(settings, self.sources, self.backend, self._folder, memory, self._notice)

    def plan(self, graph: Graph) -> Plan:
        """Return the plan of a graph, and keep what was learned of files on the way."""
        plan = make_plan(graph, self.decide(graph), self.records, self.backend.name)
        self.sources.save()
        return plan

    def clock(self) -> int:
        """Return the file system's idea of now, in nanoseconds."""
        return file_clock(self._folder)

    def cancel(self) -> None:
        """Stop all that is being built or fetched."""
        self.backend.cancel()
        self.remotes.cancel()
        self.registries.close()
        self.remote.cancel()

    @property
    def fresh_until(self) -> float:
        """The unix time up to which nothing need be asked of other machines again; 0 for never."""
        return min(self.remotes.fresh_until, self.bases.fresh_until)

    def jobs(self) -> int:
        """Return how many stages may run at once."""
        return self._options.jobs or os.cpu_count() or 1


def open_registries() -> Registries:
    """Return what asks registries, with this user's credentials; nothing is opened before there is something to ask."""

    def opener(limits: Limits) -> Registry:
        from zbuild.api.registries import open_registry  # noqa: PLC0415 - few runs ask, and it costs 60 ms to import

        return open_registry(limits=limits)

    return Registries(opener)
