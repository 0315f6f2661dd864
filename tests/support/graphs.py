"""Graphs made from build files held in memory, and planning against records held in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from zbuild.api.again import stages_to_run
from zbuild.api.options import BuildOptions
from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import BuildFileError, RegistryError
from zbuild.frontend.dockerfile.parse import parse_dockerfile
from zbuild.graph.build import build_graph
from zbuild.model.image_config import ImageConfig
from zbuild.model.project import Project
from zbuild.plan.describe import describe
from zbuild.plan.key import config_text, fold, pending, selection_id
from zbuild.plan.planner import Held, decide, result_of, told
from zbuild.plan.sources import SelectionError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zbuild.base.platform import Platform
    from zbuild.graph.build import GraphOptions
    from zbuild.graph.types import Graph
    from zbuild.model.definition import Definition
    from zbuild.model.project import Group, ImageSpec
    from zbuild.model.remote import RemoteOrigin
    from zbuild.model.steps import ContextOrigin, Selection
    from zbuild.plan.describe import Described
    from zbuild.plan.planner import Decision


@dataclass
class MemoryLoader:
    """Build files by path; `parsed` ones stand for files of other formats."""

    files: Mapping[str, str]
    parsed: Mapping[str, Definition] = field(default_factory=dict)

    def find(self, context: str, file: str, span: object) -> str:
        path = file or f"{context}/Dockerfile"
        if path not in self.files and path not in self.parsed:
            raise BuildFileError([Diagnostic("no-build-file", f"there is no {path}", span)])
        return path

    def load(self, path: str) -> Definition:
        return self.parsed[path] if path in self.parsed else parse_dockerfile(self.files[path].encode(), path)


def graph_of(
    images: Sequence[ImageSpec],
    files: Mapping[str, str],
    targets: Sequence[str] = (),
    *,
    groups: Sequence[Group] = (),
    parsed: Mapping[str, Definition] | None = None,
    options: GraphOptions | None = None,
) -> Graph:
    project = Project("/work", tuple(images), tuple(groups))
    return build_graph(project, MemoryLoader(files, parsed or {}), targets, options)


@dataclass
class MemorySources:
    """Contexts as texts by source path; base images by reference; what other machines hold by URL."""

    contents: dict[str, str] = field(default_factory=dict)
    bases: dict[str, ImageConfig] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    remotes: dict[str, str] = field(default_factory=dict)

    def base(self, reference: str, platform: Platform, pull: str) -> FakeBase:  # noqa: ARG002
        return FakeBase(self.digests.get(reference, f"sha256:{reference}"), self.bases.get(reference, ImageConfig()))

    def ignore(self, context: str, file: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def folder(self, context: str) -> str:
        return f"/work/{context}"

    def digest(self, origin: ContextOrigin, selection: Selection) -> str:
        found = []
        for source in selection.sources:
            path = f"{origin.path}/{source}"
            if path not in self.contents:
                raise SelectionError(source, f"there is no '{source}' in the context")
            found.append(self.contents[path])
        return "+".join(found)

    def prepare(self, origins: Collection[RemoteOrigin], pull: str) -> None:
        pass

    def remote(self, origin: RemoteOrigin, pull: str) -> str:  # noqa: ARG002
        if getattr(origin, "checksum", ""):
            return origin.checksum
        if origin.shown not in self.remotes:
            message = f"{origin.shown} cannot be fetched: the server answers 404 Not Found"
            raise RegistryError("fetch-failed", message, hint="check the URL")
        return self.remotes[origin.shown]


@dataclass(frozen=True)
class FakeBase:
    digest: str
    config: ImageConfig


@dataclass(frozen=True)
class MemoryRecord:
    key: str
    static_key: str
    own_key: str
    stage: str
    image_id: str
    content: str
    config: str
    inputs: tuple[tuple[str, str, str], ...]
    exports: tuple[tuple[str, str], ...]
    created: float


class MemoryRecords:
    """A record store, and a builder: `run` does what a plan says, `outputs` saying what each stage's files come to."""

    def __init__(self) -> None:
        self.kept: list[MemoryRecord] = []
        self.checkpoints: dict[str, tuple[str, ...]] = {}

    def get(self, key: str) -> MemoryRecord | None:
        return self._last(lambda record: record.key == key)

    def by_static(self, static_key: str) -> MemoryRecord | None:
        return self._last(lambda record: record.static_key == static_key)

    def has_own(self, own_key: str) -> bool:
        return self._last(lambda record: record.own_key == own_key) is not None

    def latest(self, stage: str) -> MemoryRecord | None:
        return self._last(lambda record: record.stage == stage)

    def last_seconds(self, stage: str) -> float | None:
        return 1.5 if self.latest(stage) else None

    def images_of(self, prefixes: Collection[str]) -> Mapping[str, Sequence[str]]:
        return {key: self.checkpoints[key] for key in prefixes if key in self.checkpoints}

    def _last(self, test) -> MemoryRecord | None:
        return next((record for record in reversed(self.kept) if test(record)), None)


@dataclass
class World:
    """Records, store and sources that outlive several plans, as a machine does."""

    sources: MemorySources = field(default_factory=MemorySources)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    present: set[str] = field(default_factory=set)
    clock: float = 0.0

    def decide(self, graph: Graph, options: BuildOptions | None = None) -> dict[str, Decision]:
        described = describe(graph, self.sources, "fake")
        again = stages_to_run(graph, options or BuildOptions())
        return decide(graph, described, self.records, Held(self.present), again)

    def actions(self, graph: Graph) -> dict[str, str]:
        return {name: decision.action for name, decision in self.decide(graph).items()}

    def build(self, graph: Graph, outputs: Mapping[str, str] | None = None) -> list[str]:
        """Carry out a plan as the engine does, `outputs` giving what a stage's files come to; return what ran."""
        described = describe(graph, self.sources, "fake")
        decisions = decide(graph, described, self.records, Held(self.present))
        ran = []
        for name, decision in decisions.items():
            if decision.action == "cached":
                continue
            key = fold(
                decision.described.items, lambda wanted: result_of(decisions[wanted.vertex].record, wanted) or ""
            )
            found = self.records.get(key)
            if found is None or found.image_id not in self.present:
                found = self._record(name, decision, decisions, key, (outputs or {}).get(name, key))
                ran.append(name)
            self.records.kept.append(replace(found, static_key=decision.described.static_key))
            decision.record = found
        return ran

    def _record(self, name, decision, decisions, key, output) -> MemoryRecord:
        self.clock += 1
        described: Described = decision.described
        image_id = f"{name}-{self.clock}"
        self.present.add(image_id)
        wanted = {
            part.selection
            for other in decisions.values()
            for part in pending(other.described.items)
            if part.vertex == name and part.selection
        }
        return MemoryRecord(
            key,
            described.static_key,
            described.own_key,
            name,
            image_id,
            f"layers {output}",
            config_text(described.evaluation.config),
            told(described, decisions),
            tuple((selection_id(selection), f"tree {output}") for selection in wanted),
            self.clock,
        )
