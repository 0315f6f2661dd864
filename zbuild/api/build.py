"""One build: plan, run what must run, record each stage as it ends, tag, and report."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from zbuild.api.checkpoints import RunCheckpoints
from zbuild.api.emulation import check_runs
from zbuild.api.names import local_name
from zbuild.api.pulls import Finished
from zbuild.api.secrets import GivenSecrets
from zbuild.api.stages import RunSetup, StageRunner
from zbuild.base.errors import BuildFailedError, ImageGoneError, StageError
from zbuild.events.types import (
    BuildFailed,
    BuildFinished,
    BuildStarted,
    ImageTagged,
    Notice,
    StageFailed,
    StageFinished,
    StageSkipped,
)
from zbuild.execution.outcome import Done, Job
from zbuild.state.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.api.options import BuildOptions
    from zbuild.api.session import Session
    from zbuild.backend.protocol import ImageList
    from zbuild.base.errors import ZbuildError
    from zbuild.events.bus import Emit
    from zbuild.graph.types import Graph, ImageNode, Vertex
    from zbuild.plan.planner import Decision


class Build:
    """One build of a graph. `finished` holds what became of each stage, `decisions` what was planned.

    `shared` tells whether all results are in the remote caches that they should be in.
    `lists` are those made of images of several platforms, by the image's name.
    """

    def __init__(self, session: Session, graph: Graph, options: BuildOptions, emit: Emit, logs: str) -> None:
        self._session = session
        self._graph = graph
        self._options = options
        self._emit = emit
        self._logs = logs
        self._started = time.monotonic()
        self.began = session.clock()
        self._errors: dict[str, ZbuildError] = {}
        self._replaced: set[str] = set()
        self._skipped: list[str] = []
        self._given = GivenSecrets(session.root, options.secrets, options.agents)
        self.names = _names(graph, options)
        self.finished: dict[str, Finished] = {}
        self.decisions: dict[str, Decision] = {}
        self.shared = True
        self.lists: dict[str, ImageList] = {}

    def tags_of(self, node: ImageNode) -> tuple[str, ...]:
        """Return an image's tags as they were asked for; those of the command line go to the targets."""
        return tuple(dict.fromkeys((*node.tags, *_extra_tags(self._graph, node, self._options))))

    @property
    def repeatable(self) -> bool:
        """Say whether the same command would find nothing to do."""
        return not (self._options.always or self._options.no_cache) and self._options.pull != "always"

    def run(self) -> None:
        """Build everything the targets need.

        Raises BuildFailedError when stages failed (all events are out by then), BackendError, StateError, or
        InterruptedBuildError; what had finished is recorded whatever happens.
        """
        for removed in self._session.sweep():
            self._emit(Notice(f"removed {removed}, left by a run that was cut off"))
        self._once()
        for last in (False, True):
            gone = [error for error in self._errors.values() if isinstance(error, ImageGoneError)]
            if not gone:
                break
            self._plan_again(gone, last=last)
        self._drop_replaced()
        self.shared = self._session.remote.finish()
        if self._errors:
            self._fail()
        self._tag()
        count = Counter(finished.action for finished in self.finished.values())
        self._keep_up(changed=len(self.finished) > count["cached"])
        self._emit(BuildFinished(time.monotonic() - self._started, count["run"], count["cached"]))

    def _plan_again(self, gone: Sequence[ImageGoneError], *, last: bool) -> None:
        """Try again with what is there now; at last without what other machines have."""
        if any(error.code != "cache-entry" for error in gone):
            self._emit(Notice("an image vanished from the store during the build; planning again", "warning"))
        if last:
            self._session.remote.give_up()
        self._errors.clear()
        self._skipped.clear()
        self._session.bases.forget()
        self._once()

    def _drop_replaced(self) -> None:
        """Remove images whose records and names others have taken: nothing would ever find them again."""
        left = self._replaced - self._session.records.all_image_ids() if self._replaced else ()
        if left:
            images = self._session.backend.images()
            self._session.backend.remove([image_id for image_id in left if not images.get(image_id)])

    def _keep_up(self, *, changed: bool) -> None:
        """Remember what was used, and let go of records that this run has made useless."""
        upkeep = self._session.records.upkeep
        used = {key for finished in self.finished.values() for key in (finished.record.key, finished.began_at)}
        upkeep.note_use(used, time.time())
        if changed:
            upkeep.drop_dead(self._session.backend.name, self._session.backend.images())

    def _once(self) -> None:
        self.decisions = self._session.decide(self._graph)
        decisions = self.decisions.items()
        self._given.check(item.described for _, item in decisions if item.action != "cached" and not item.same_as)
        check_runs((item.described for _, item in decisions if item.action == "run"), self._session.backend)
        running = {name for name, item in decisions if item.action in ("run", "maybe") or item.same_as}
        count = Counter(item.action for item in self.decisions.values())
        run, pull, cached = count["run"], count["pulled"], len(decisions) - len(running) - count["pulled"]
        backend = self._session.backend.name
        self._emit(BuildStarted(self._graph.targets, run, cached, len(running) - run, backend, pull))
        for name, decision in decisions:
            if name not in running and decision.action != "pulled":
                self._keep(name, decision)
        if running or pull:
            self._run(running | self._wanted_pulls())
        self._session.sources.save()

    def _wanted_pulls(self) -> set[str]:
        """Return the stages whose images are wanted for themselves; others are pulled when a stage runs on them."""
        wanted = {*self._graph.roots, *(name for vertex in self._graph.vertices for name in vertex.after)}
        return {name for name in wanted if self.decisions[name].action == "pulled"}

    def _keep(self, name: str, decision: Decision) -> None:
        record: Record | None = decision.record  # type: ignore[assignment] # the store makes them
        if record is not None and record.image_id in self._session.present:
            self._finish(name, Finished(record, "cached", 0.0, decision.reason))
        self._emit(StageFinished(name, "cached", 0.0, decision.reason, record.image_id if record else ""))

    def _run(self, running: set[str]) -> None:
        """Give doit the stages that must run, and only those."""
        from zbuild.execution.runner import run_jobs  # noqa: PLC0415 - doit costs 55 ms to import

        session = self._session
        setup = RunSetup(
            backend=session.backend,
            sources=session.sources,
            records=session.records,
            checkpoints=RunCheckpoints(
                records=session.records,
                price=session.price,
                backend=session.backend.name,
                run_id=self._logs.rpartition("/")[2],
                layers=self._options.layers,
                present=set(session.present),
                replaced=self._replaced,
            ),
            emit=self._emit,
            logs=self._logs,
            again=session.again,
            as_images=session.as_images(self._graph),
            names=self.names,
            given=self._given,
            remote=session.remote,
        )
        runner = StageRunner(self.decisions, setup)
        wanted = (self.decisions[name] for name in running if self.decisions[name].action == "pulled")
        session.remote.prefetch(decision.record for decision in wanted if isinstance(decision.record, Record))
        jobs = [self._job(vertex, runner, running) for vertex in self._graph.vertices if vertex.id in running]
        run_jobs(
            jobs,
            workers=session.jobs(),
            keep_going=self._options.keep_going,
            on_done=self._on_done,
            on_failed=self._on_failed,
            on_skipped=self._on_skipped,
            cancel=session.cancel,
        )
        for name, finished in runner.pulled.items():
            self.finished.setdefault(name, finished)
        self._tell_unused()
        session.price.save()

    def _tell_unused(self) -> None:
        """Tell of the stages that were found elsewhere and whose images no one needed."""
        for name, decision in self.decisions.items():
            if decision.action == "pulled" and name not in self.finished and name not in self._errors:
                self._emit(StageFinished(name, "cached", 0.0, f"its record {decision.reason} was enough"))

    def _job(self, vertex: Vertex, runner: StageRunner, running: set[str]) -> Job:
        pulled = self.decisions[vertex.id].action == "pulled"
        needed = () if pulled else (*vertex.depends, self.decisions[vertex.id].same_as)
        return Job(
            name=vertex.id,
            after=tuple(name for name in needed if name in running),
            weight=self._session.records.last_seconds(vertex.id) or 1.0,
            action=lambda: Done(runner.pull(vertex.id) if pulled else runner.run(vertex.id)),
        )

    def _on_done(self, name: str, value: object) -> None:
        """Record a stage; this is the moment from which it counts as done."""
        assert isinstance(value, Finished)  # noqa: S101 - the jobs above give nothing else
        for _, _, digest in value.record.inputs:
            listing = self._session.sources.listings.get(digest)
            if listing is not None:
                self._session.records.save_tree(digest, listing)
        if value.action != "pulled":  # that is recorded already
            before = self._session.records.get(value.record.key)
            self._replaced.update([before.image_id] if before else ())
            self._session.records.put(value.record)
        self._finish(name, value)

    def _finish(self, name: str, finished: Finished) -> None:
        """Take in what became of a stage, and let other machines have it."""
        self.finished[name] = finished
        if finished.action != "pulled" and self._session.backend.is_image(finished.record.image_id):
            replace = name in self._session.again and finished.action == "run"
            self._session.remote.offer(name, finished.record, self.decisions, self._result, replace=replace)

    def _result(self, name: str) -> Record | None:
        """Return what a stage has come to, as far as is known."""
        record: Record | None = self.decisions[name].record  # type: ignore[assignment] # the store makes them
        return self.finished[name].record if name in self.finished else record

    def _on_failed(self, name: str, error: ZbuildError) -> None:
        self._errors[name] = error
        if isinstance(error, ImageGoneError):
            return
        tail, log = (error.tail, error.log) if isinstance(error, StageError) else ((), "")
        place = str(error.span) if error.span else ""
        self._emit(StageFailed(name, error.code, error.message, tail, log, place, error.hint))

    def _on_skipped(self, name: str, because: str) -> None:
        self._skipped.append(name)
        self._emit(StageSkipped(name, because))

    def _fail(self) -> None:
        self._emit(BuildFailed(time.monotonic() - self._started, tuple(self._errors), tuple(self._skipped)))
        first = next(iter(self._errors.values()))
        if not isinstance(first, StageError):
            raise first
        failed = ", ".join(self._errors)
        raise BuildFailedError("build-failed", f"failed: {failed}", span=first.span, hint=first.hint) from first

    def _tag(self) -> None:
        """Give every image the names it should have and has not, whether its stages ran or were cached."""
        images = self._session.backend.images()
        for node in self._graph.images:
            results = [self.finished[name] for name in node.vertices if name in self.finished]
            wanted = tuple(map(local_name, self.tags_of(node)))
            if len(results) < len(node.vertices) or not wanted:
                continue
            image_id = results[0].record.image_id if len(results) == 1 else self._list(node, results)
            missing = [name for name in wanted if name not in images.get(image_id, ())]
            if missing:
                self._session.backend.tag(image_id, missing)
            if missing or any(finished.action == "run" for finished in results):
                self._emit(ImageTagged(node.name, wanted))

    def _list(self, node: ImageNode, results: Sequence[Finished]) -> str:
        """Put the images of all platforms into one list, which bears the tags; return its id."""
        made = self._session.backend.make_list([finished.record.image_id for finished in results])
        self.lists[node.name] = made
        return made.image_id


def _names(graph: Graph, options: BuildOptions) -> dict[str, tuple[str, ...]]:
    """Return the names that images of one platform are committed under, in full; those of others go to a list."""
    names: dict[str, tuple[str, ...]] = {}
    for node in graph.images:
        if len(node.vertices) == 1:
            (vertex,) = node.vertices
            full = map(local_name, (*node.tags, *_extra_tags(graph, node, options)))
            names[vertex] = tuple(dict.fromkeys((*names.get(vertex, ()), *full)))
    return names


def _extra_tags(graph: Graph, node: ImageNode, options: BuildOptions) -> tuple[str, ...]:
    return options.tags if node.name in graph.targets else ()


def needed_stages(graph: Graph, vertices: Sequence[str]) -> tuple[str, ...]:
    """Return the stages of one image that its results need, in order."""
    wanted = graph.closure(vertices)
    image = graph.by_id()[vertices[0]].image
    return tuple(item.id for item in graph.vertices if item.id in wanted and item.image == image)
