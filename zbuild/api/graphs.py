"""Build files → graph, kept from run to run: as long as no build file changed, none is parsed again."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

import zbuild
from zbuild.api.stand_ins import StandIns
from zbuild.base import diagnostic, platform, span
from zbuild.base.dataclass import dataclass
from zbuild.base.digest import xxh
from zbuild.base.epoch import EPOCH_ARG
from zbuild.base.errors import BuildFileError, StateError, UsageError
from zbuild.graph import types as graph_types
from zbuild.model import caches, definition, mounts, ops, remote, secrets
from zbuild.model.overlay import Overlay
from zbuild.state import plancache
from zbuild.state.codec import Codec
from zbuild.state.faults import state_fault
from zbuild.state.stamp import environment_row, same_environment, stat_row, unchanged

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from zbuild.api.lint import IgnoredPaths, LintChoices
    from zbuild.api.options import BuildOptions
    from zbuild.base.diagnostic import Diagnostic
    from zbuild.base.platform import Platform
    from zbuild.base.span import Span
    from zbuild.frontend.recipe.catalog import Catalog
    from zbuild.graph.types import Graph
    from zbuild.model.definition import Definition
    from zbuild.model.project import Project
    from zbuild.state.folder import StateFolder

Row = tuple[str, int, int, int, int]

_CLASSES = (
    diagnostic.Diagnostic,
    span.Span,
    platform.Platform,
    remote.GitOrigin,
    *(getattr(graph_types, name) for name in ("FromScratch", "FromReference", "FromVertex", "FromFolder")),
    *(getattr(graph_types, name) for name in ("Settings", "Vertex", "ImageNode", "Graph")),
    *(getattr(definition, name) for name in ("NamedBase", "NestedBuild", "Stage")),
    *(
        getattr(mounts, name)
        for name in ("CacheMount", "BindMount", "TmpfsMount", "SecretMount", "SshMount", "UnreadMount")
    ),
    *(getattr(caches, name) for name in ("CachePlace", "CacheSettings")),
    *(getattr(secrets, name) for name in ("SecretSource", "AgentSource")),
    *(getattr(ops, name) for name in ("ShellForm", "ExecForm", "Arg", "Env", "Label", "Workdir", "User", "Expose")),
    *(getattr(ops, name) for name in ("Volume", "Shell", "Cmd", "Entrypoint", "StopSignal", "Healthcheck")),
    *(getattr(ops, name) for name in ("Maintainer", "Onbuild", "Run", "Copy", "InlineFile")),
)


@dataclass(frozen=True, slots=True)
class LoadedGraph:
    """A graph, and the state of every file, folder and variable of the environment that decided what it is.

    `settled` is False when one of them changed so lately that another change could go unseen. `warnings` are those of
    the build files' meaning, `lint` those of how they are written; each file's are there once.
    """

    graph: Graph
    rows: tuple[Row, ...]
    settled: bool
    warnings: tuple[Diagnostic, ...] = ()
    lint: tuple[Diagnostic, ...] = ()
    notices: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


class BuildFiles:
    """Finds, reads and checks build files for the graph, and notes every path that was looked at.

    `lint` gathers what is to be said of how they are written, `loaded` what was read.
    """

    def __init__(
        self,
        root: Path,
        recipes: str = "",
        choices: LintChoices | None = None,
        *,
        detect: bool = False,
        runtime: str = "",
    ) -> None:
        """`recipes` is the folder of the workspace's own, `choices` those of lint; for the others see StandIns."""
        self._root = root
        self._recipes = recipes
        self._choices = choices
        self._stand_ins = StandIns(root, self._recipes_at_hand, detect=detect, runtime=runtime)
        self._catalog: Catalog | None = None
        self._contexts: dict[str, str] = {}
        self._seen: dict[str, None] = {}
        self.lint: list[Diagnostic] = []
        self.loaded: list[Definition] = []

    @property
    def seen(self) -> tuple[str, ...]:
        """The absolute paths that decided what was found and read."""
        recipes = () if self._catalog is None else self._catalog.seen
        return tuple(dict.fromkeys([*self._seen, *recipes]))

    @property
    def notices(self) -> tuple[str, ...]:
        """What users should know of what was found."""
        return self._stand_ins.notices

    def find(self, context: str, file: str, span: Span) -> str:
        """Return the build file of a context."""
        from zbuild.frontend.load import find_definition  # noqa: PLC0415 - not needed when the graph is kept

        self._seen[os.path.normpath(self._root / context)] = None
        try:
            found = find_definition(self._root, context, file, span)
        except BuildFileError as missing:
            if file or missing.code != "missing-file":
                raise
            return self._stand_ins.choose(context, missing)
        self._seen[os.path.normpath(self._root / found)] = None
        self._contexts.setdefault(found, context)
        return found

    def _recipes_at_hand(self) -> Catalog:
        from zbuild.frontend.load import open_catalog  # noqa: PLC0415 - likewise

        if self._catalog is None:
            self._catalog = open_catalog(self._root, self._recipes)
        return self._catalog

    def load(self, path: str) -> Definition:
        """Read a build file."""
        from zbuild.frontend.load import lint_definition  # noqa: PLC0415 - likewise

        self._seen[os.path.normpath(self._root / path)] = None
        ignored = self._ignored(self._contexts.get(path, "."), path)
        linted = lint_definition(self._root, path, ignored, self._choices, self._recipes_at_hand)
        self.lint += linted.warnings
        self.loaded.append(linted.accepted())
        return self.loaded[-1]

    def check_inline(self, project: Project, names: Collection[str]) -> None:
        """Check those of the named images that are defined in the workspace's own build files."""
        from zbuild.frontend.lint.lint import lint_definition  # noqa: PLC0415 - likewise

        for spec in project.images:
            if spec.name in names and spec.definition is not None:
                ignored = self._ignored(spec.context, "")
                self.lint += lint_definition(spec.definition, self._choices, ignored).warnings

    def _ignored(self, context: str, file: str) -> IgnoredPaths:
        from zbuild.api.lint import IgnoredPaths  # noqa: PLC0415 - likewise

        return IgnoredPaths(self._root, context, file, self._seen)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a workspace is read: from which file, with which variables set, and what is laid over it."""

    root: Path
    file: str
    variables: Mapping[str, str]
    overlay: Overlay = field(default_factory=Overlay)

    def project(self) -> Project:
        """Read the workspace's build files. Raises BuildFileError with all their problems."""
        from zbuild.frontend.load import load_project  # noqa: PLC0415 - not needed when the graph is kept

        return load_project(self.root, file=self.file, variables=self.variables, overlay=self.overlay)


def load_graph(
    reading: Reading,
    folder: StateFolder | None,
    targets: Sequence[str],
    options: BuildOptions,
    *,
    checking: bool = False,
) -> LoadedGraph:
    """Return the graph of the targets: the kept one when no build file changed, else made anew and kept.

    Without a folder, or in one that cannot be written, nothing is kept. `checking`: what is right but cannot be built
    yet is left out; otherwise it is an error.

    Raises UsageError for unknown targets, BuildFileError with every problem of the build files.
    """
    codec = Codec(_CLASSES)
    name = _name(reading, targets, options, checking=checking)
    kept = None if folder is None else _kept(plancache.load(folder, name), codec)
    if kept is not None:
        return kept
    loaded = _make(reading, folder, targets, options, checking=checking)
    if loaded.settled and folder is not None:
        parts = (loaded.graph, loaded.warnings, loaded.lint, loaded.notices)
        with suppress(StateError):  # it only saves time
            state = {"rows": list(loaded.rows), "environment": list(loaded.environment)}
            plancache.save(folder, name, {**state, "parts": codec.encode(parts)})
    return loaded


def _kept(kept: Any, codec: Codec) -> LoadedGraph | None:  # noqa: ANN401 - whatever the file holds
    """Return what was kept; None when there is nothing, or a build file changed, or zbuild's own code did."""
    if not isinstance(kept, dict) or not same_environment(kept["environment"]) or not unchanged(kept["rows"]):
        return None
    try:
        parts: Any = codec.decode(kept.get("parts"))
    except ValueError:
        return None
    graph, warnings, lint, notices = parts
    environment = tuple(map(tuple, kept["environment"]))
    return LoadedGraph(graph, tuple(kept["rows"]), True, warnings, lint, notices, environment)  # noqa: FBT003 - in order


def _name(reading: Reading, targets: Sequence[str], options: BuildOptions, *, checking: bool) -> str:
    times = (options.reproducible, os.environ.get(EPOCH_ARG, ""))
    built = (
        options.target,
        options.platforms,
        options.labels,
        options.annotations,
        options.squash,
        options.detect,
        options.runtime,
    )
    chosen = (options.build_args, options.contexts, *built, checking)
    overlay = (reading.overlay.files, reading.overlay.profiles, reading.overlay.settings)
    how = (zbuild.__version__, str(reading.root), reading.file, tuple(sorted(reading.variables.items())), overlay)
    return f"{xxh((how, tuple(targets), chosen, times))}.graph"


def _make(
    reading: Reading, folder: StateFolder | None, targets: Sequence[str], options: BuildOptions, *, checking: bool
) -> LoadedGraph:
    from zbuild.api.build_args import lint_choices, undeclared  # noqa: PLC0415 - not needed when the graph is kept
    from zbuild.api.contexts import given_contexts, unused_contexts  # noqa: PLC0415 - likewise
    from zbuild.api.unsteady_bases import unsteady_bases  # noqa: PLC0415 - likewise
    from zbuild.graph.build import GraphOptions, build_graph  # noqa: PLC0415 - likewise

    began = _clock_or_never(folder)
    given = dict(options.build_args)
    project = reading.project()
    files = BuildFiles(
        reading.root, project.recipes, lint_choices(given), detect=options.detect, runtime=options.runtime
    )
    contexts = given_contexts(options.contexts, reading.root, project)
    chosen = GraphOptions(
        options.build_args,
        options.target,
        contexts,
        tuple(map(_platform, options.platforms)),
        checking,
        reproducible=options.reproducible,
        epoch=os.environ.get(EPOCH_ARG, ""),
        output=graph_types.OutputOptions(options.labels, options.annotations, options.squash),
    )
    graph = build_graph(project, files, targets, chosen)
    files.check_inline(project, {vertex.image for vertex in graph.vertices})
    paths = [os.path.normpath(reading.root / path) for path in _watched(project)]
    rows = tuple(stat_row(path) for path in dict.fromkeys([*paths, *files.seen]))
    lint = tuple(files.lint)
    definitions = _definitions(files, project, graph)
    unused = (*undeclared(given, definitions), *unused_contexts(dict(contexts), definitions))
    warnings = (*project.warnings, *unused, *unsteady_bases(graph))
    environment = tuple(map(environment_row, project.environment))
    return LoadedGraph(graph, rows, settled(rows, began), warnings, lint, files.notices, environment)


def _platform(text: str) -> Platform:
    try:
        return platform.parse_platform(text)
    except ValueError as error:
        raise UsageError("bad-platform", str(error)) from None


def _watched(project: Project) -> tuple[str, ...]:
    return (*project.files, *project.folders, *project.missing)


def _definitions(files: BuildFiles, project: Project, graph: Graph) -> list[Definition]:
    """Return what was read for the targets."""
    names = {vertex.image for vertex in graph.vertices}
    inline = [spec.definition for spec in project.images if spec.definition and spec.name in names]
    return [*files.loaded, *inline]


def _clock_or_never(folder: StateFolder | None) -> int:
    """Return the file system's now; 0, before which nothing is settled, when the state cannot be written."""
    if folder is None:
        return 0
    try:
        return file_clock(folder)
    except StateError:
        return 0


def file_clock(folder: StateFolder) -> int:
    """Return the file system's own idea of now, in nanoseconds: what a file written at this moment bears.

    Raises StateError when the state cannot be written.
    """
    path = folder.path / "clock"
    try:
        path.touch(mode=0o600)
        return path.stat().st_mtime_ns
    except OSError as error:
        raise state_fault(error, path) from error


def settled(rows: Sequence[Row], began: int) -> bool:
    """Say whether all files were last changed before `began`, so that any later change shows in their times."""
    return all(max(row[2], row[3]) < began for row in rows)
