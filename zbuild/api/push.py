"""Images out of the door: what is built as the build files say now is pushed, or gets further names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.api.names import local_name
from zbuild.api.options import PushedTag
from zbuild.backend.local_names import LOCAL
from zbuild.backend.protocol import PushOrder
from zbuild.base.errors import UsageError
from zbuild.base.text import plural
from zbuild.events.types import ImagePushed, ImageTagged, Notice
from zbuild.execution.signals import Interruption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zbuild.api.build import Build
    from zbuild.api.session import Session
    from zbuild.events.bus import Emit
    from zbuild.graph.types import Graph
    from zbuild.plan.planner import Decision


def push_built(graph: Graph, session: Session, build: Build, emit: Emit) -> tuple[PushedTag, ...]:
    """Push the targets of a build that ended well, with the tags of the command line, too; raises as `push_present`."""
    tags = {node.name: build.tags_of(node) for node in graph.images}
    results = {name: finished.record.image_id for name, finished in build.finished.items()}
    return _push(graph, session, tags, results, emit)


def push_present(graph: Graph, session: Session, emit: Emit) -> tuple[PushedTag, ...]:
    """Push the targets as they are in the store.

    Raises UsageError for what is not up to date; RegistryError, ImageGoneError, BackendError, InterruptedBuildError.
    """
    results = _present_results(graph, session)
    return _push(graph, session, {node.name: node.tags for node in graph.images}, results, emit)


def tag_present(graph: Graph, session: Session, names: Sequence[str], emit: Emit) -> None:
    """Give the image of the only target further names in the store."""
    if len(graph.targets) != 1:
        message = f"there are several images: {', '.join(graph.targets)}"
        raise UsageError("tag-of-many", message, hint="name one of them")
    full = tuple(dict.fromkeys(map(local_name, names)))
    results = _present_results(graph, session)
    session.backend.tag(whole_image(tuple(results.values()), session), full)
    emit(ImageTagged(graph.targets[0], full))


def _present_results(graph: Graph, session: Session) -> dict[str, str]:
    """Return the image id of each of the targets' vertices. Raises UsageError when one has to be built first."""
    decisions = session.decide(graph)
    session.sources.save()
    found = {name: _image_id(decisions[name], session) for name in graph.roots}
    stale = [f"{name} ({decisions[name].reason})" for name, image_id in found.items() if not image_id]
    if stale:
        hint = f"build first: 'zbuild build {' '.join(graph.targets)}'"
        raise UsageError("not-built", f"not up to date: {', '.join(stale)}", hint=hint)
    return found


def whole_image(results: Sequence[str], session: Session) -> str:
    """Return the id of what is an image's result: of several platforms, the list of them."""
    return results[0] if len(results) == 1 else session.backend.make_list(results).image_id


def _image_id(decision: Decision, session: Session) -> str:
    """Return the image that is a stage's result, "" when the stage would run."""
    record = decision.record
    if decision.action != "cached" or decision.same_as or record is None or record.image_id not in session.present:
        return ""
    return record.image_id


def _push(
    graph: Graph, session: Session, tags: Mapping[str, Sequence[str]], results: Mapping[str, str], emit: Emit
) -> tuple[PushedTag, ...]:
    """Push the tags of the targets that name a registry; `tags` are by image, `results` are image ids by vertex."""
    owners: dict[PushOrder, str] = {}
    for node in graph.images:
        if node.name in graph.targets:
            references = _references(node.name, tags[node.name], emit)
            whole = whole_image([results[name] for name in node.vertices], session) if references else ""
            orders = [PushOrder(whole, reference) for reference in references]
            owners.update((order, node.name) for order in orders if order not in owners)
    pushed: list[PushedTag] = []

    def done(order: PushOrder, digest: str) -> None:
        pushed.append(PushedTag(owners[order], order.reference, digest))
        emit(ImagePushed(owners[order], order.reference, digest))

    if owners:
        emit(Notice(f"pushing {plural(len(owners), 'tag')}"))
        with Interruption(lambda: None, session.cancel):
            session.backend.push(list(owners), done, tags_last=graph.push_after_all)
    return tuple(pushed)


def _references(image: str, tags: Sequence[str], emit: Emit) -> list[str]:
    """Return the tags that name a registry, in full; the others are told."""
    names = [local_name(tag) for tag in tags]
    kept = [name for name in names if name.startswith(LOCAL)]
    if kept:
        emit(Notice(f"{image}: not pushed, since no registry is named: {', '.join(kept)}"))
    elif not names:
        emit(Notice(f"{image}: not pushed, since it has no tags"))
    return [name for name in names if name not in kept]
