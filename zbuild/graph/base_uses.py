"""Which images the stages of a graph want that are not built here: those they start from, and those they copy from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.graph.types import FromReference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zbuild.base.span import Span
    from zbuild.graph.types import Vertex


@dataclass(frozen=True, slots=True)
class BaseUse:
    """A stage that wants an image, by its full reference; `name` is what its instructions call it, "" for FROM."""

    reference: str
    vertex: Vertex
    name: str = ""

    @property
    def span(self) -> Span:
        """Where the stage asks for it first."""
        return use_span(self.vertex, self.name)


def base_uses(vertices: Iterable[Vertex]) -> Iterator[BaseUse]:
    """Yield every use of an image that is not built here, in the order of the stages."""
    for vertex in vertices:
        if isinstance(vertex.base, FromReference):
            yield BaseUse(vertex.base.reference, vertex)
        for name, source in vertex.sources:
            if isinstance(source, FromReference):
                yield BaseUse(source.reference, vertex, name)


def use_span(vertex: Vertex, name: str) -> Span:
    """Return where a stage first reads files of what it calls `name`; for "" where it names its base."""
    from zbuild.graph.resolve import source_names  # noqa: PLC0415 - only who tells of a place needs it

    stage = vertex.stage
    return dict(source_names(stage.ops)).get(name, stage.span) if name else stage.base.span
