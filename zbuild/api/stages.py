"""Runs one stage: computes its key from what the stages it reads came to, looks it up, builds it if it must."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.api.beginnings import Beginnings
from zbuild.api.inputs import copied, fetched, pulled, pulled_base, read_by, shown
from zbuild.api.names import log_names
from zbuild.api.pulls import Finished, Pulls
from zbuild.api.remote import NoRemoteCache
from zbuild.api.results import Results, wanted_exports
from zbuild.api.secrets import GivenSecrets
from zbuild.backend.protocol import KeptFiles, StageBuild
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import ImageGoneError, StageError
from zbuild.events.types import StageFinished, StageStarted
from zbuild.model.steps import ImageOrigin, StageOrigin
from zbuild.plan.describe import describe_stage
from zbuild.plan.key import Pending, config_text, fold, prefix_keys, selection_id
from zbuild.plan.planner import read_from, what
from zbuild.state.record import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zbuild.api.checkpoints import RunCheckpoints
    from zbuild.api.remote import Remote
    from zbuild.api.sources import WorkspaceSources
    from zbuild.backend.protocol import Backend, StageResult
    from zbuild.events.bus import Emit
    from zbuild.plan.describe import Described
    from zbuild.plan.planner import Decision
    from zbuild.state.records import RecordStore

_ATTEMPTS = 3


@dataclass(slots=True)
class RunSetup:
    """What all stages of a run share. `names` are the tags outputs are committed under; `logs` is a folder.

    `again` are the stages that are to run come what may, `as_images` those that only images will do for.
    """

    backend: Backend
    sources: WorkspaceSources
    records: RecordStore
    checkpoints: RunCheckpoints
    emit: Emit
    logs: str
    again: Collection[str] = ()
    as_images: Collection[str] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    given: GivenSecrets = field(default_factory=lambda: GivenSecrets(Path()))
    remote: Remote = field(default_factory=NoRemoteCache)


class StageRunner:
    """Runs the stages of one plan, from several threads at once; each key is built once."""

    def __init__(self, decisions: Mapping[str, Decision], setup: RunSetup) -> None:
        self._decisions = decisions
        self._setup = setup
        self._present = setup.checkpoints.present
        self._described = {name: decision.described for name, decision in decisions.items()}
        known = {
            name: decision.record
            for name, decision in decisions.items()
            if decision.action in ("cached", "pulled") and not decision.same_as and isinstance(decision.record, Record)
        }
        self._pulls = Pulls(decisions, setup, self._present, known)
        self._results = Results(self._described, setup.records, setup.backend, known, self._pulls.ensure)
        self._built: dict[str, Record] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()
        self._beginnings = Beginnings(self._described, [name for name in decisions if self._may_share(name)])
        self._exports = wanted_exports(self._described)
        self._log_names = log_names(decisions)

    @property
    def pulled(self) -> Mapping[str, Finished]:
        """The stages whose images were pulled so far, by name."""
        return self._pulls.done

    def pull(self, name: str) -> Finished:
        """Bring the image of a stage that was found elsewhere into the store. Raises ImageGoneError."""
        self._pulls.ensure(name)
        return self._pulls.done[name]

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
                finished = (
                    self._reuse(name, key, started)
                    or self._pull_result(name, described, key, started)
                    or self._build_in_turn(name, described, key, started)
                )
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
        if record is None and name not in self._setup.again:
            found = self._setup.records.get(key)
            record = found if found is not None and found.image_id in self._present else None
            reason = "what it reads came out equal (early cutoff)"
        if record is None or (name in self._setup.as_images and not self._setup.backend.is_image(record.image_id)):
            return None
        record = replace(record, stage=name, static_key=self._described[name].static_key)
        seconds = time.monotonic() - started
        self._setup.emit(StageFinished(name, "cached", seconds, reason, record.image_id))
        return Finished(record, "cached", seconds, reason)

    def _pull_result(self, name: str, described: Described, key: str, started: float) -> Finished | None:
        """Pull what another machine came to with what this stage reads; None when there is no such result."""
        if name in self._setup.again:
            return None
        found = self._setup.remote.find_result(described, key, self._results.__getitem__)
        if found is None:
            return None
        try:
            return self._pulls.load(name, *found, started)
        except ImageGoneError:
            return None

    def _may_share(self, name: str) -> bool:
        decision, checkpoints = self._decisions[name], self._setup.checkpoints
        runs = decision.action in ("run", "maybe") and name not in self._setup.again
        return runs and checkpoints.mode(decision.described.vertex.settings) != "none"

    def _build_in_turn(self, name: str, described: Described, key: str, started: float) -> Finished | None:
        with self._beginnings.turn(name):
            return self._build(name, described, key, started)

    def _build(self, name: str, described: Described, key: str, started: float) -> Finished | None:
        """Build a stage; None when its inputs changed meanwhile, in which case nothing is recorded."""
        reason = self._reason(name)
        for source in described.vertex.inputs:
            self._pulls.ensure(source)
        order = self._order(name, described, key)
        self._setup.emit(StageStarted(name, reason, len(order.steps), order.start.done if order.start else 0))
        self._setup.records.begin(key, order.names)
        mounted = shown(order.steps, self._setup.sources)
        order = replace(order, fetched=fetched(described, self._setup.sources))

        def keep(kept: KeptFiles) -> None:
            if self._unchanged(described, order, mounted, kept):
                self._setup.checkpoints.put(kept, order)

        try:
            result = self._setup.backend.build(order, self._beginnings.follow(self._setup.emit), keep)
        except ImageGoneError:
            if order.start is None:
                raise
            self._setup.checkpoints.lose(order.start, self._setup.backend.images())
            return self._build(name, described, key, started)
        if not self._unchanged(described, order, mounted, result):
            if result.image_id not in self._present:  # reproducibly built, it can be that of a record
                self._setup.backend.remove([result.image_id])
            return None
        self._setup.checkpoints.price.learn(result.commits)
        result = self._squashed(described, order, result)
        seconds = time.monotonic() - started
        content = self._results.content(described, result.image_id, result.diff_ids)
        record = self._record(described, order, result, seconds, content)
        with self._guard:
            self._built[key] = record
            self._present.add(record.image_id)
            self._setup.checkpoints.made[record.files_key] = (record.image_id,)
        self._setup.emit(StageFinished(name, "run", seconds, reason, record.image_id))
        began_at = order.layering.keys[order.start.done - 1] if order.start else ""
        return Finished(record, "run", seconds, reason, order.log, began_at)

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
        keys = prefix_keys(described.material, self._results.resolve)
        return StageBuild(
            stage=name,
            key=key,
            platform=vertex.platform,
            base=pulled_base(described, self._results.base(described), self._setup.sources),
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
            start=None if name in self._setup.again else self._setup.checkpoints.start(keys, settings.epoch),
            layering=self._setup.checkpoints.layering(self._decisions[name], keys, self._beginnings.parting(name)),
            epoch=settings.epoch,
            read_only=name not in self._setup.as_images,
        )

    def _squashed(self, described: Described, order: StageBuild, result: StageResult) -> StageResult:
        if not (described.vertex.output and described.vertex.settings.squash):
            return result
        from zbuild.api.squashing import own_root, squashed  # noqa: PLC0415 - few images are squashed

        root = own_root(described, self._described)
        base = pulled_base(root, self._results.base(root), self._setup.sources)
        return squashed(self._setup.backend, order, result, base)

    def _images(self, described: Described) -> dict[str, str]:
        """Return the image ids behind the names that this stage's steps read files from."""
        vertex = described.vertex
        found = {}
        for step, origin in read_by(described):
            if isinstance(origin, StageOrigin):
                found[origin.vertex] = self._results[origin.vertex].image_id
            elif isinstance(origin, ImageOrigin):
                found[origin.reference] = pulled(vertex, origin.reference, step.span, self._setup.sources).image_id
        return found

    def _unchanged(
        self, described: Described, order: StageBuild, mounted: Sequence[str], result: StageResult | KeptFiles
    ) -> bool:
        """Digest the context's files again: an edit during the build must not end in a record, nor in a checkpoint.

        Equal content is not enough, for a file may have been put back: they must also be in the state they were
        copied in, and in which RUN was shown them (`mounted`).
        """
        sources = self._setup.sources
        again = self._describe_again(described.vertex.id)
        steps, end = again.evaluation.steps, len(again.items)
        if isinstance(result, KeptFiles):
            steps, end = steps[: result.done], again.material.ends[result.done]
        stamps = copied(steps[order.start.done if order.start else 0 :], sources)
        seen = shown(steps, sources)
        same = again.items[:end] == described.items[:end] and seen == tuple(mounted[: len(seen)])
        return same and "" not in stamps and stamps == result.copied

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

    def _record(
        self, described: Described, order: StageBuild, result: StageResult, seconds: float, content: str
    ) -> Record:
        # Annotations of an image are its children's, too, and squashed layers are not what others expect.
        is_special = order.annotations or described.vertex.settings.squash
        return Record(
            key=order.key,
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
            run_id=self._setup.checkpoints.run_id,
            content=content,
            files_key="" if is_special or not order.steps else order.layering.keys[-1],
        )
