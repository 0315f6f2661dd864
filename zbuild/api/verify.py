"""Whether the images in the store are whole, and are what the build files give."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.api.names import local_name
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import ImageGoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbuild.api.session import Session
    from zbuild.graph.types import Graph, ImageNode, Vertex
    from zbuild.plan.planner import Decision


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of a target's image: its id ("" where there is none), and all that is wrong with it.

    `name` is the stage's, with its platform where a target has several. `damaged`: the store does not hold what was
    built, and a build that finds the image up to date does not see that.
    """

    name: str
    target: str
    image_id: str
    problems: tuple[str, ...]
    damaged: bool = False


def verify(graph: Graph, session: Session) -> tuple[Verified, ...]:
    """Check the images of all targets. Raises BackendError where the store cannot be read."""
    decisions = session.decide(graph)
    session.sources.save()
    by_id = graph.by_id()
    found = tuple(_verified(by_id[name], decisions[name], session) for name in graph.roots)
    return tuple(_with_tags(item, found, graph, session) for item in found)


def _verified(vertex: Vertex, decision: Decision, session: Session) -> Verified:
    name, target = vertex.id, vertex.id.removesuffix(f"@{vertex.platform}")
    record = decision.record
    if record is None or decision.action != "cached" or decision.same_as:
        return Verified(name, target, "", (f"not what these build files give: {decision.reason}",))
    if record.image_id not in session.present:
        return Verified(name, target, "", ("its image is gone from the store",))
    try:
        damaged = session.backend.check(record.image_id)
    except ImageGoneError as error:
        damaged = (error.message,)
    return Verified(name, target, record.image_id, damaged, damaged=bool(damaged))


def _with_tags(item: Verified, found: Sequence[Verified], graph: Graph, session: Session) -> Verified:
    """Add what is wrong with the names of the images that end with this stage, of several platforms with the first."""
    ids = {other.name: other.image_id for other in found}
    problems: list[str] = []
    for node in graph.images:
        results = [ids.get(name, "") for name in node.vertices]
        if node.vertices[0] == item.name and all(results):
            image_id = results[0] if len(results) == 1 else session.backend.make_list(results).image_id
            problems += _foreign_tags(node, image_id, session)
    return replace(item, problems=(*item.problems, *problems))


def _foreign_tags(node: ImageNode, image_id: str, session: Session) -> Iterator[str]:
    """Yield what is wrong with the names of an image in the store: each must be its own, or nobody's."""
    holders = {name: holder for holder, names in session.present.items() for name in names}
    for tag in map(local_name, node.tags):
        if holders.get(tag, image_id) != image_id:
            yield f"{tag} is another image, {holders[tag][:12]}"
