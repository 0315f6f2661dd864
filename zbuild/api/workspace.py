"""A workspace: many images, built together. The library's main face."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.api.find import candidates, find_root, named_file
from zbuild.api.graphs import BuildFiles, Reading, load_graph
from zbuild.api.notices import tell_loaded, unheard, waiting_for
from zbuild.api.options import BuildOptions, ImageListing
from zbuild.api.session import Session
from zbuild.base.errors import BuildFailedError, BuildFileError, StateError, UsageError
from zbuild.events.bus import Bus
from zbuild.events.types import Notice
from zbuild.model.overlay import Overlay
from zbuild.state.folder import StateFolder
from zbuild.state.lock import WorkspaceLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from zbuild.api.cache import WorkspaceCache
    from zbuild.api.graphs import LoadedGraph
    from zbuild.api.lint import LintChoices, Linted
    from zbuild.api.locking import LockChange
    from zbuild.api.options import BuildReport, PushedTag
    from zbuild.api.verify import Verified
    from zbuild.base.diagnostic import Diagnostic
    from zbuild.events.bus import Emit
    from zbuild.graph.types import Graph
    from zbuild.plan.types import Plan, StageExplanation


class Workspace:
    """The folder of a `zbuild.yaml`, and all that can be asked of it.

    Every method reads the build files as they are at that moment, and raises BuildFileError with all their problems
    when they are wrong.
    """

    def __init__(
        self,
        root: Path,
        *,
        file: str = "",
        variables: Mapping[str, str] | None = None,
        overlay: Overlay | None = None,
    ) -> None:
        self.root = root
        self._reading = Reading(root, file, dict(variables or {}), overlay or Overlay())
        self._searched: tuple[str, ...] = ()

    @classmethod
    def find(
        cls,
        start: Path,
        *,
        file: str = "",
        variables: Mapping[str, str] | None = None,
        overlay: Overlay | None = None,
    ) -> Workspace:
        """Return the workspace that a folder lies in; with `file`, that file's folder.

        With `file`, the overlay's files are relative to `start`, too. Raises UsageError when there is none.
        """
        overlay = overlay or Overlay()
        if file:
            path = named_file(start, file)
            further = (os.path.relpath(named_file(start, other), path.parent) for other in overlay.files)
            return cls(path.parent, file=path.name, variables=variables, overlay=replace(overlay, files=tuple(further)))
        workspace = cls(find_root(start, variables or {}, overlay), variables=variables, overlay=overlay)
        workspace._searched = candidates(start)
        return workspace

    def validate(self, options: BuildOptions | None = None) -> tuple[Diagnostic, ...]:
        """Check all build files, those of images that no group names included, and the lock; return the warnings."""
        from zbuild.api.locks import read_lock  # noqa: PLC0415 - sessions read it by themselves

        loaded = self._load(self._names(), options or BuildOptions(), checking=True)
        read_lock(self.root)
        return (*loaded.warnings, *loaded.lint)

    def lint(self, targets: Sequence[str] = (), choices: LintChoices | None = None) -> tuple[Linted, ...]:
        """Check how the build files of the targets' images are written, without targets those of all images.

        What is wrong in a build file is among what is returned. Raises UsageError for unknown targets, BuildFileError
        when the workspace itself cannot be read.
        """
        from zbuild.api.lint import LintChoices, lint_images  # noqa: PLC0415 - only this command needs it

        return lint_images(self._reading.project(), targets, choices or LintChoices())

    def recipes(self) -> str:
        """Return the folder of the workspace's own recipes, relative to it; "" when it has none.

        It is found even where the build files are wrong otherwise.
        """
        from zbuild.frontend.load import find_recipes  # noqa: PLC0415 - only this command needs it

        try:
            return self._reading.project().recipes
        except BuildFileError:
            return find_recipes(self.root, self._reading.file)

    def images(self, options: BuildOptions | None = None) -> tuple[ImageListing, ...]:
        """Return the images of the workspace, in the order of the build files."""
        project = self._reading.project()
        options = options or BuildOptions()
        files = BuildFiles(self.root, project.recipes, detect=options.detect, runtime=options.runtime)
        groups = {group.name: group.members for group in project.groups}
        return tuple(
            ImageListing(
                name=spec.name,
                context=spec.context,
                file="" if spec.definition else files.find(spec.context, spec.file, spec.span),
                tags=spec.tags,
                groups=tuple(name for name, members in groups.items() if spec.name in members),
                platforms=spec.platforms,
            )
            for spec in project.images
        )

    def graph(self, targets: Sequence[str] = (), options: BuildOptions | None = None) -> Graph:
        """Return the graph of what the targets need. Raises UsageError for unknown targets."""
        return self._load(targets, options or BuildOptions()).graph

    def notices(self, targets: Sequence[str] = (), options: BuildOptions | None = None) -> tuple[str, ...]:
        """Return what users should know of how the targets' build files were found; `build` tells it itself."""
        return self._load(targets, options or BuildOptions()).notices

    def plan(self, targets: Sequence[str] = (), options: BuildOptions | None = None) -> Plan:
        """Return what `build` would do, and why; nothing is built or removed."""
        with self._looking(targets, options) as (graph, session):
            return session.plan(graph)

    def explain(self, target: str, options: BuildOptions | None = None) -> tuple[StageExplanation, ...]:
        """Say of each stage of a target why it would run or not, down to the files that differ."""
        from zbuild.api.explain import explain_stages  # noqa: PLC0415 - only this command needs it

        with self._looking([target], options) as (graph, session):
            return explain_stages(graph, session)

    @contextmanager
    def _looking(self, targets: Sequence[str], options: BuildOptions | None) -> Iterator[tuple[Graph, Session]]:
        """Read the build files, and open what is needed to say what would be done; nobody is waited for."""
        options = options or BuildOptions()
        folder = self._folder()
        graph = load_graph(self._reading, folder, targets, options).graph
        with Session(self.root, folder, options, unheard, only_look=True) as session:
            session.check_lock(graph)
            yield graph, session

    def build(self, targets: Sequence[str] = (), options: BuildOptions | None = None, *listeners: Emit) -> BuildReport:
        """Build the targets and all they need; only what changed runs.

        A second build of the same workspace waits for the first, unless `options.wait` is False. Raises
        BuildFailedError, its `report` telling what was built all the same; BackendError, RegistryError, StateError;
        InterruptedBuildError. What had finished is recorded whatever happens.
        """
        options = options or BuildOptions()
        started = time.monotonic()
        emit = Bus(*listeners).emit
        with self._locked(targets, options, emit) as (loaded, folder):
            return self._build(loaded, folder, options, emit, started)

    @contextmanager
    def _locked(
        self, targets: Sequence[str], options: BuildOptions, emit: Emit
    ) -> Iterator[tuple[LoadedGraph, StateFolder]]:
        """Read the build files while no other run is at work here; it is waited for, unless `options.wait` is False."""
        folder = self._folder()

        def waiting(holder: str) -> None:
            emit(Notice(waiting_for(holder)))

        with WorkspaceLock(folder.lock).acquire(options.wait, waiting):
            loaded = load_graph(self._reading, folder, targets, options)
            tell_loaded(loaded, emit)
            yield loaded, folder

    def _build(
        self, loaded: LoadedGraph, folder: StateFolder, options: BuildOptions, emit: Emit, started: float
    ) -> BuildReport:
        from zbuild.api.build import Build  # noqa: PLC0415 - plans and listings need none of it
        from zbuild.api.logs import drop_if_empty, log_folder  # noqa: PLC0415 - likewise
        from zbuild.api.proof import make_proof  # noqa: PLC0415 - likewise
        from zbuild.api.report import make_report  # noqa: PLC0415 - likewise

        if options.documents or options.attestations:
            from zbuild.api.attest import check_choice  # noqa: PLC0415 - few builds make documents

            check_choice(options, pushes=options.push)
        folder.sweep()
        graph = loaded.graph
        outputs = options.all_outputs
        if outputs:
            from zbuild.api.outputs import check_outputs  # noqa: PLC0415 - few builds write images

            check_outputs(graph, outputs)
        if options.tags and len(graph.targets) != 1:
            raise UsageError(
                "tag-of-many", "--tag names one image, but there are several targets", hint="name one target"
            )
        logs = log_folder(folder)

        def notice(message: str) -> None:
            emit(Notice(message, "warning"))

        def tell(message: str) -> None:
            emit(Notice(message))

        with Session(self.root, folder, options, notice, tell) as session:
            session.check_lock(graph)
            build = Build(session, graph, options, emit, str(logs))
            try:
                build.run()
            except BuildFailedError as error:
                error.report = make_report(graph, build, started)
                raise
            finally:
                drop_if_empty(logs)
            report = make_report(graph, build, started)
            if outputs:
                from zbuild.api.outputs import write_outputs  # noqa: PLC0415 - likewise

                write_outputs(graph, session, build, outputs, emit)
            if options.push or options.documents:
                from zbuild.api.release import release_built  # noqa: PLC0415 - few builds push

                return replace(report, pushed=release_built(loaded, session, build, options, emit))
            proof = None if outputs else make_proof(loaded, session, build, self._searched)
            session.remotes.drop_unused()
        return report if proof is None else report.with_proof(proof.sealed(folder))

    def push(
        self, targets: Sequence[str] = (), options: BuildOptions | None = None, *listeners: Emit
    ) -> tuple[PushedTag, ...]:
        """Push the targets' tags that name a registry; nothing is built.

        Raises UsageError when a target is not up to date, RegistryError, BackendError, InterruptedBuildError.
        """
        from zbuild.api.release import release_present  # noqa: PLC0415 - builds need none of it

        options = options or BuildOptions()
        emit = Bus(*listeners).emit
        with (
            self._locked(targets, options, emit) as (loaded, folder),
            Session(self.root, folder, options, unheard) as session,
        ):
            return release_present(loaded, session, options, emit)

    def verify(self, targets: Sequence[str] = (), options: BuildOptions | None = None) -> tuple[Verified, ...]:
        """Check that the targets' images are whole and are what the build files give; nothing is built.

        Raises BackendError where the store cannot be read.
        """
        from zbuild.api.verify import verify  # noqa: PLC0415 - likewise

        with self._looking(targets, options) as (graph, session):
            return verify(graph, session)

    def tag(self, target: str, names: Sequence[str], options: BuildOptions | None = None, *listeners: Emit) -> None:
        """Give the present result of one target further names in the store.

        Raises UsageError when the target is not up to date, or is several images; ReferenceError for what is no name.
        """
        from zbuild.api.push import tag_present  # noqa: PLC0415 - likewise

        options = options or BuildOptions()
        emit = Bus(*listeners).emit
        with (
            self._locked([target], options, emit) as (loaded, folder),
            Session(self.root, folder, options, unheard) as session,
        ):
            tag_present(loaded.graph, session, names, emit)

    def lock(
        self, names: Sequence[str] = (), options: BuildOptions | None = None, *listeners: Emit, update: bool = False
    ) -> tuple[LockChange, ...]:
        """Bring the lock file in line with the build files of all images, and return what changed; see `write_lock`."""
        from zbuild.api.locking import write_lock  # noqa: PLC0415 - only this command needs it

        with self._locked(self._names(), options or BuildOptions(), Bus(*listeners).emit) as (loaded, folder):
            return write_lock(self.root, folder, loaded.graph, names, update=update)

    def check_lock(self, options: BuildOptions | None = None) -> None:
        """Raise BuildFileError with what the lock file lacks, and what it holds and no build file asks for."""
        from zbuild.api.locking import check_lock  # noqa: PLC0415 - likewise

        check_lock(self.root, self._folder(), self._load(self._names(), options or BuildOptions()).graph)

    def _names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self._reading.project().images)

    def cache(self, options: BuildOptions | None = None, notice: Callable[[str], None] | None = None) -> WorkspaceCache:
        """Return what builds keep on disk, to be listed and pruned; `options` say for which builds it is kept."""
        from zbuild.api.cache import WorkspaceCache  # noqa: PLC0415 - only this command needs it

        return WorkspaceCache(self.root, self._reading, options or BuildOptions(), notice or unheard)

    def clean(self, options: BuildOptions | None = None, *, everything: bool = False) -> tuple[str, ...]:
        """Remove what dead runs left, and logs; with `everything` also the images built here and all of `.zbuild/`.

        Returns what was removed, in words.
        """
        from zbuild.api.clean import clean_store  # noqa: PLC0415 - only this command needs it

        options = options or BuildOptions()
        folder = self._folder()
        with WorkspaceLock(folder.lock).acquire(options.wait, unheard):
            with Session(self.root, folder, options, unheard) as session:
                removed = clean_store(session, everything=everything)
            for logs in folder.logs.iterdir():
                shutil.rmtree(logs, ignore_errors=True)
            if everything:
                shutil.rmtree(folder.path)
                removed.append(str(folder.path))
        return tuple(removed)

    def _load(self, targets: Sequence[str], options: BuildOptions, *, checking: bool = False) -> LoadedGraph:
        """Return the graph for what only reads: it needs no state, which may be read-only."""
        try:
            folder = self._folder()
        except StateError as error:
            if error.code == "state-link":
                raise
            return load_graph(self._reading, None, targets, options, checking=checking)
        return load_graph(self._reading, folder, targets, options, checking=checking)

    def _folder(self) -> StateFolder:
        return StateFolder.open(self.root)
