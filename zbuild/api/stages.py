"""Runs one stage: computes its key from what the stages it reads came to, looks it up, builds it if it must."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.api.names import log_names
from zbuild.api.results import Results
from zbuild.api.secrets import GivenSecrets
from zbuild.backend.protocol import StageBuild
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import RegistryError, StageError
from zbuild.events.types import StageFinished, StageStarted
from zbuild.model.mounts import shows_files
from zbuild.model.remote import GitOrigin, UrlOrigin
from zbuild.model.steps import ContextOrigin, CopyStep, ImageOrigin, RunStep, Selection, StageOrigin, takes_from_context
from zbuild.plan.describe import describe_stage
from zbuild.plan.key import Pending, config_text, fold, pending, selection_id
from zbuild.plan.planner import read_from, what
from zbuild.state.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zbuild.api.sources import WorkspaceSources
    from zbuild.backend.protocol import Backend, StageResult
    from zbuild.events.bus import Emit
    from zbuild.events.types import Action
    from zbuild.model.remote import RemoteOrigin
    from zbuild.model.steps import Origin
    from zbuild.plan.describe import Described
    from zbuild.plan.planner import Decision
    from zbuild.state.records import RecordStore

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a stage: its record, whether it ran, how long it took, and why."""

    record: Record
    action: Action
    seconds: float
    reason: str
    log: str = ""


@dataclass(slots=True)
class RunSetup:
    """What all stages of a run share. `names` are the tags outputs are committed under; `logs` is a folder."""

    backend: Backend
    sources: WorkspaceSources
    records: RecordStore
    emit: Emit
    logs: str
    always: bool = False
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    given: GivenSecrets = field(default_factory=lambda: GivenSecrets(Path()))


class StageRunner:
    """Runs the stages of one plan, from several threads at once; each key is built once."""

    def __init__(self, decisions: Mapping[str, Decision], setup: RunSetup, present: set[str]) -> None:
        self._decisions = decisions
        self._setup = setup
        self._present = present
        self._described = {name: decision.described for name, decision in decisions.items()}
        known = {
            name: decision.record
            for name, decision in decisions.items()
            if decision.action == "cached" and not decision.same_as and isinstance(decision.record, Record)
        }
        self._results = Results(self._described, setup.records, setup.backend, known)
        self._built: dict[str, Record] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()
        self._exports = _wanted_exports(self._described)
        self._log_names = log_names(decisions)

    def run(self, name: str) -> Finished:
        """Bring one stage about; the stages it reads must be done.

        Raises StageError when an instruction fails, or its inputs keep changing while it is built.
        """
        started = time.monotonic()
        for _ in range(_ATTEMPTS):
            described = self._described[name]
            key = fold(described.items, self._results.resolve)
            with self._guard:
                lock = self._locks[key]
            with lock:
                finished = self._reuse(name, key, started) or self._build(name, described, key, started)
            if finished is not None:
                self._results[name] = finished.record
                return finished
            self._described[name] = self._describe_again(name)
        raise StageError(
            "inputs-changed",
            f"the files that '{name}' copies keep changing while it is built",
            span=self._described[name].vertex.stage.span,
            hint="let the files come to rest, and build again",
        )

    def _reuse(self, name: str, key: str, started: float) -> Finished | None:
        record = self._built.get(key)
        reason = "the same as another stage of this run"
        if record is None and not self._forced(name):
            found = self._setup.records.get(key)
            record = found if found is not None and found.image_id in self._present else None
            reason = "what it reads came out equal (early cutoff)"
        if record is None:
            return None
        record = replace(record, stage=name, static_key=self._described[name].static_key)
        seconds = time.monotonic() - started
        self._setup.emit(StageFinished(name, "cached", seconds, reason, record.image_id))
        return Finished(record, "cached", seconds, reason)

    def _forced(self, name: str) -> bool:
        return self._setup.always or self._described[name].vertex.settings.no_cache

    def _build(self, name: str, described: Described, key: str, started: float) -> Finished | None:
        """Build a stage; None when its inputs changed meanwhile, in which case nothing is recorded."""
        reason = self._reason(name)
        order = self._order(name, described, key)
        self._setup.emit(StageStarted(name, reason, len(order.steps)))
        self._setup.records.begin(key, order.names)
        bound = self._bound(described)
        order = replace(order, fetched=self._fetched(described))
        result = self._setup.backend.build(order, self._setup.emit)
        if not (self._unchanged(described, result) and self._bound(described) == bound):
            self._setup.backend.remove([result.image_id])
            return None
        seconds = time.monotonic() - started
        content = self._results.content(described, result.image_id, result.diff_ids)
        record = self._record(described, key, result, seconds, content)
        with self._guard:
            self._built[key] = record
            self._present.add(record.image_id)
        self._setup.emit(StageFinished(name, "run", seconds, reason, record.image_id))
        return Finished(record, "run", seconds, reason, order.log)

    def _reason(self, name: str) -> str:
        """Return why a stage runs; for one that might not have, what has decided it."""
        decision = self._decisions[name]
        if decision.action != "maybe":
            return decision.reason
        latest = self._setup.records.latest(name)
        before = set(latest.inputs) if latest else set()
        described = self._described[name]
        told = zip(described.items, self._told(described), strict=True)
        new = {item.value.vertex for item, told in told if isinstance(item.value, Pending) and told not in before}
        differing = [source for source in described.vertex.inputs if source in new]
        if not differing:
            return "no result is recorded for these inputs"
        return f"{read_from(described.vertex, differing, ' and ')} came out different"

    def _order(self, name: str, described: Described, key: str) -> StageBuild:
        vertex = described.vertex
        settings = vertex.settings
        return StageBuild(
            stage=name,
            key=key,
            platform=vertex.platform,
            base=self._results.base(described),
            steps=described.evaluation.steps,
            config=described.evaluation.config,
            names=self._setup.names.get(name, ()),
            images=self._images(described),
            exports=self._exports.get(name, ()),
            format=settings.format,
            annotations=settings.annotations if vertex.output else (),
            log=f"{self._setup.logs}/{self._log_names[name]}",
            secrets=self._setup.given.secrets_of(settings),
            agents=self._setup.given.agents_of(settings),
        )

    def _images(self, described: Described) -> dict[str, str]:
        """Return the image ids behind the names that this stage's steps read files from."""
        vertex = described.vertex
        found = {}
        for _, origin in _read_by(described):
            if isinstance(origin, StageOrigin):
                found[origin.vertex] = self._results[origin.vertex].image_id
            elif isinstance(origin, ImageOrigin):
                image = self._setup.sources.base(origin.reference, vertex.platform, vertex.settings.pull)
                found[origin.reference] = image.image_id
        return found

    def _fetched(self, described: Described) -> dict[RemoteOrigin, str]:
        """Return where the files of other machines lie that the steps take, fetching them if it must be."""
        found = {}
        for step, origin in _read_by(described):
            if isinstance(origin, UrlOrigin | GitOrigin):
                try:
                    found[origin] = self._setup.sources.fetched(origin, described.vertex.settings.pull)
                except RegistryError as error:
                    raise StageError(error.code, error.message, span=step.span, hint=error.hint) from error
        return found

    def _unchanged(self, described: Described, result: StageResult) -> bool:
        """Digest the context's files again: an edit during the build must not end in a record.

        Equal content is not enough, for a file may have been put back: they must also be in the state they were
        copied in.
        """
        again = self._describe_again(described.vertex.id)
        copies = [step for step in again.evaluation.steps if isinstance(step, CopyStep) and takes_from_context(step)]
        stamps = tuple(
            self._setup.sources.stamps(step.origin, step.selection)
            for step in copies
            if isinstance(step.origin, ContextOrigin)
        )
        return again.items == described.items and "" not in stamps and stamps == result.copied

    def _bound(self, described: Described) -> list[str]:
        """Return the state of what RUN mounts show of contexts, as last digested."""
        runs = [step for step in described.evaluation.steps if isinstance(step, RunStep)]
        mounts = [(mount, dict(step.origins)) for step in runs for mount in step.mounts if shows_files(mount)]
        shown = [(origins[mount.source], Selection((mount.path,))) for mount, origins in mounts]
        return [self._setup.sources.stamps(tree, part) for tree, part in shown if isinstance(tree, ContextOrigin)]

    def _describe_again(self, name: str) -> Described:
        vertex = self._described[name].vertex
        return describe_stage(vertex, dict(self._described), self._setup.sources, self._setup.backend.name)

    def _told(self, described: Described) -> tuple[tuple[str, str, str], ...]:
        """Return the material of a stage as records keep it, for `explain`."""
        return tuple(
            (item.instruction, what(item.what, item.value), self._value(item.value)) for item in described.items
        )

    def _value(self, value: str | Pending) -> str:
        return self._results.resolve(value) if isinstance(value, Pending) else value

    def _record(self, described: Described, key: str, result: StageResult, seconds: float, content: str) -> Record:
        return Record(
            key=key,
            static_key=described.static_key,
            own_key=described.own_key,
            stage=described.vertex.id,
            backend=self._setup.backend.name,
            platform=str(described.vertex.platform),
            image_id=result.image_id,
            digest=result.digest,
            diff_ids=result.diff_ids,
            config=config_text(described.evaluation.config),
            size=result.size,
            layer_count=result.layer_count,
            seconds=seconds,
            step_seconds=result.seconds,
            inputs=self._told(described),
            exports=tuple((selection_id(selection), digest) for selection, digest in result.exports),
            created=time.time(),
            run_id=self._setup.logs.rpartition("/")[2],
            content=content,
        )


def _read_by(described: Described) -> Iterator[tuple[CopyStep | RunStep, Origin]]:
    """Yield what the steps of a stage read files from, each with its step."""
    for step in described.evaluation.steps:
        if isinstance(step, CopyStep):
            yield step, step.origin
        elif isinstance(step, RunStep):
            yield from ((step, origin) for _, origin in step.origins)


def _wanted_exports(described: Mapping[str, Described]) -> dict[str, tuple[Selection, ...]]:
    """Return, for each stage, the selections that others take from it."""
    wanted: defaultdict[str, dict[Selection, None]] = defaultdict(dict)
    for item in described.values():
        for part in pending(item.items):
            if part.selection is not None:
                wanted[part.vertex][part.selection] = None
    return {name: tuple(selections) for name, selections in wanted.items()}
