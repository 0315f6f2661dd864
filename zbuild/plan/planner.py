"""Decides for every stage: run, cached, pulled or maybe; and says why. Reads records, changes nothing."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from zbuild.base.dataclass import dataclass
from zbuild.graph.topo import reachable
from zbuild.graph.types import FromReference, FromVertex
from zbuild.plan.explain import changes, first_changed, short_reason
from zbuild.plan.key import Pending, fold, identity, pending, prefix_keys, selection_id
from zbuild.plan.types import Plan, PlannedStage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zbuild.graph.types import Graph, Vertex
    from zbuild.plan.describe import Described
    from zbuild.plan.recorded import Recorded, Records
    from zbuild.plan.types import Change, PlanAction


class Elsewhere(Protocol):
    """Where results of other machines are looked for."""

    def find(self, names: Sequence[str], decisions: Mapping[str, Decision]) -> Mapping[str, tuple[Recorded, str]]:
        """Return, for those stages whose results are elsewhere, their records and where that is."""
        ...


class Nowhere:
    """Stands for no such place."""

    def find(self, names: Sequence[str], decisions: Mapping[str, Decision]) -> Mapping[str, tuple[Recorded, str]]:  # noqa: ARG002 - see Elsewhere
        """Find nothing."""
        return {}


@dataclass(slots=True)
class Decision:
    """What will be done with one stage. `record` is its result where one is known; `key` "" where it is not yet.

    `same_as` names another stage with the same key that will run: this one then takes its result. Of one that runs,
    `done` is how many of its steps a checkpoint holds, and `edited` the first step, from 0, that differs from the last
    record (None: no step does, or there is no record).
    """

    described: Described
    record: Recorded | None
    key: str
    action: PlanAction = "cached"
    reason: str = ""
    changes: tuple[Change, ...] = field(default_factory=tuple)
    same_as: str = ""
    done: int = 0
    edited: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What the backend holds: ids, those of what is no image once more; and the stages that are of use only as one."""

    present: Collection[str]
    no_images: Collection[str] = ()
    as_images: Collection[str] = ()

    def has(self, name: str, record: Recorded | None) -> bool:
        """Tell whether a stage's result is there, as what it is wanted."""
        return record is not None and record.image_id in self.present and not self.lacks_image(name, record)

    def lacks_image(self, name: str, record: Recorded) -> bool:
        """Tell whether a stage's result is no image, but is wanted as one."""
        return name in self.as_images and record.image_id in self.no_images


def decide(
    graph: Graph,
    described: Mapping[str, Described],
    records: Records,
    held: Held,
    again: Mapping[str, str] | None = None,
    elsewhere: Elsewhere | None = None,
) -> dict[str, Decision]:
    """Decide for all stages of the graph.

    `again` are stages that are to run come what may, each with the reason: no record and no checkpoint counts for them.
    """
    again = again or {}
    decisions: dict[str, Decision] = {}
    for vertex in graph.vertices:
        item = described[vertex.id]
        record, key = (None, "") if vertex.id in again else _look_up(item, decisions, records)
        decisions[vertex.id] = Decision(item, record, key)
    _Demand(graph, decisions, held, records, again, elsewhere or Nowhere()).settle()
    return decisions


def _look_up(item: Described, before: Mapping[str, Decision], records: Records) -> tuple[Recorded | None, str]:
    """Find a stage's record by its result key; by its static key where a stage it reads has no result to ask."""
    known = {wanted: result_of(before[wanted.vertex].record, wanted) for wanted in pending(item.items)}
    if all(value is not None for value in known.values()):
        key = fold(item.items, lambda wanted: known[wanted] or "")
        return records.get(key), key
    return records.by_static(item.static_key), ""


def result_of(record: Recorded | None, wanted: Pending) -> str | None:
    """Return what a recorded stage came to, as its readers see it; None when the record does not say."""
    if record is None:
        return None
    if wanted.selection is None:
        return identity(record.content, record.config) if record.content else None
    return dict(record.exports).get(selection_id(wanted.selection))


def told(item: Described, before: Mapping[str, Decision]) -> tuple[tuple[str, str, str], ...]:
    """Return a stage's material as records keep it, for `explain`: what is still to come is told as `?`."""

    def value(wanted: str | Pending) -> str:
        if isinstance(wanted, Pending):
            return result_of(before[wanted.vertex].record, wanted) or "?"
        return wanted

    return tuple((part.instruction, what(part.what, part.value), value(part.value)) for part in item.items)


def what(name: str, value: str | Pending) -> str:
    """Return what an input is called: one that comes from another stage says from which."""
    return f"{name} of {value.vertex}" if isinstance(value, Pending) else name


def _standing_on(graph: Graph, again: Collection[str]) -> set[str]:
    """Return stages that run come what may, and all that may come out unlike before because of them."""
    found = set(again)
    for vertex in graph.vertices:
        if not found.isdisjoint(vertex.inputs):
            found.add(vertex.id)
    return found


class _Demand:
    """Finds what must run: a target without a usable result, then all it needs, then all that reads those."""

    def __init__(
        self,
        graph: Graph,
        decisions: dict[str, Decision],
        held: Held,
        records: Records,
        again: Mapping[str, str],
        elsewhere: Elsewhere,
    ) -> None:
        self._elsewhere = elsewhere
        self._pulled: dict[str, str] = {}
        self._unlike = _standing_on(graph, again)
        self._graph = graph
        self._decisions = decisions
        self._held = held
        self._records = records
        self._again = again
        self._edges = {vertex.id: vertex.inputs for vertex in graph.vertices}
        self._running: set[str] = set()
        self._first: dict[str, str] = {}

    def settle(self) -> None:
        after = (name for vertex in self._graph.vertices for name in vertex.after)
        wanted = [*self._graph.roots, *after, *self._again]
        self._require(wanted)
        used = reachable(wanted, self._edges)
        unsure = [name for name in self._edges if name in used and name not in self._pulled and self._unsure(name)]
        self._running.update(unsure)
        for name in unsure:
            self._require(self._edges[name])
        grown = True
        while grown:
            # A stage that reads one that runs may come out different; whatever it needs must then be there, too.
            reading = [
                name
                for name in self._edges
                if name in used and name not in self._running and self._running.intersection(self._edges[name])
            ]
            grown = bool(reading)
            self._run(reading)
            for name in reading:
                self._require(self._edges[name])
        for name in self._edges:
            self._tell(name)

    def _unsure(self, name: str) -> list[str]:
        """Return the stages whose present results have never been asked for what this one reads of them."""
        read = pending(self._decisions[name].described.items)
        known = [(wanted, self._decisions[wanted.vertex].record) for wanted in read]
        return [
            wanted.vertex
            for wanted, record in known
            if record is not None and record.image_id in self._held.present and result_of(record, wanted) is None
        ]

    def _require(self, wanted: Sequence[str]) -> None:
        """Make sure that these have an image: those that lack one are pulled, or run and need their own inputs."""
        waiting = wanted
        while waiting:
            lacking = [name for name in dict.fromkeys(waiting) if self._lacks(name)]
            asked = [name for name in lacking if name not in self._unlike]
            found = self._elsewhere.find(asked, self._decisions) if asked else {}
            for name, (record, place) in found.items():
                self._decisions[name].record = record
                self._pulled[name] = place
            missing = [name for name in lacking if name not in found]
            self._running.update(missing)
            waiting = [source for name in missing for source in self._edges[name]]

    def _lacks(self, name: str) -> bool:
        held = self._held.has(name, self._decisions[name].record)
        return not held and name not in self._running and name not in self._pulled

    def _run(self, names: Sequence[str]) -> None:
        """Let stages run that read such ones; a result of elsewhere may be of other inputs than they will have."""
        self._running.update(names)
        for name in names:
            if self._pulled.pop(name, None):
                self._decisions[name].record = None

    def _tell(self, name: str) -> None:
        decision = self._decisions[name]
        if name in self._pulled:
            decision.action, decision.reason = "pulled", f"from {self._pulled[name]}"
            return
        if name not in self._running:
            decision.action, decision.reason = "cached", self._cached_reason(name)
            return
        latest = self._records.latest(name)
        if latest is not None:
            now = told(decision.described, self._decisions)
            decision.changes = changes(latest.inputs, now)
            decision.edited = first_changed(latest.inputs, now, decision.described.material.ends)
        first = self._first.setdefault(decision.described.static_key, name)
        if first != name:
            decision.action, decision.reason, decision.same_as = "cached", f"the same as {first}", first
            return
        decision.action, decision.reason = self._running_reason(name, decision, latest)
        if name not in self._again and decision.described.vertex.settings.epoch is None:
            decision.done = self._steps_done(decision)

    def _steps_done(self, decision: Decision) -> int:
        """Return how many steps the best checkpoint holds, as far as it is known now what other stages come to."""

        def settled(wanted: Pending) -> str | None:
            running = wanted.vertex in self._running
            return None if running else result_of(self._decisions[wanted.vertex].record, wanted)

        keys = prefix_keys(decision.described.material, settled)
        return longest(keys, self._records.images_of(keys), self._held.present)[0]

    def _cached_reason(self, name: str) -> str:
        record = self._decisions[name].record
        if record is None or record.image_id not in self._held.present:
            return "not needed: what uses it is up to date"
        newer = [
            source
            for source in self._edges[name]
            if (other := self._decisions[source].record) is not None and other.created > record.created
        ]
        if newer:
            return f"up to date: {newer[0]} ran again and came out equal (early cutoff)"
        return "up to date"

    def _running_reason(self, name: str, decision: Decision, latest: Recorded | None) -> tuple[PlanAction, str]:
        vertex = decision.described.vertex
        deciding = self._running.union(self._unsure(name))
        running = [source for source in self._edges[name] if source in deciding]
        if name in self._again:
            return "run", self._again[name]
        if decision.record is not None and not self._held.has(name, decision.record):
            lacking = self._held.lacks_image(name, decision.record)
            return "run", "an image is to be made of it" if lacking else "its image is gone from the store"
        image = decision.described.base
        if isinstance(vertex.base, FromReference) and image and not image.digest and latest is not None:
            return "maybe", f"runs unless its base {vertex.base.reference}, which is not here, still is the same"
        if running and (decision.record is not None or self._records.has_own(decision.described.own_key)):
            return "maybe", f"runs if {read_from(vertex, running, ' or ')} comes out different"
        return "run", self._difference(decision) if latest is not None else "never built here"

    def _difference(self, decision: Decision) -> str:
        settled = [change for change in decision.changes if change.new != "?"]
        return short_reason(settled) if settled else "no result is recorded for these inputs"


def read_from(vertex: Vertex, sources: Sequence[str], joined: str) -> str:
    """Say what a stage reads of others: its base, and what it copies."""
    base = vertex.base.vertex if isinstance(vertex.base, FromVertex) else ""
    copied = [source for source in sources if source != base]
    parts = [f"its base {base}"] if base in sources else []
    parts += [f"what it copies from {joined.join(copied)}"] if copied else []
    return joined.join(parts)


def longest(keys: Sequence[str], images: Mapping[str, Sequence[str]], present: Collection[str]) -> tuple[int, str]:
    """Return how many steps the longest prefix with an image in the store has, and that image; 0 and "" for none."""
    for done in range(len(keys), 0, -1):
        for image_id in images.get(keys[done - 1], ()):
            if image_id in present:
                return done, image_id
    return 0, ""


def make_plan(graph: Graph, decisions: Mapping[str, Decision], records: Records, backend: str) -> Plan:
    """Return the plan that people and programs are shown."""
    stages = []
    for vertex in graph.vertices:
        decision = decisions[vertex.id]
        stages.append(
            PlannedStage(
                id=vertex.id,
                action=decision.action,
                reason=decision.reason,
                image=vertex.image,
                stage=vertex.label,
                key=decision.key or (decision.record.key if decision.record else ""),
                seconds=records.last_seconds(vertex.id),
                depends=vertex.depends,
                steps=len(decision.described.evaluation.steps),
                done=decision.done,
                platform=str(vertex.platform),
            )
        )
    return Plan(graph.targets, tuple(stages), backend)
