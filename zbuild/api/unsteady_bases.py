"""Warnings of what keeps images from being as reproducible as they are to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic
from zbuild.graph.types import FromVertex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.graph.types import Graph

_HINT = "say 'reproducible' of that as well, or under 'defaults'"


def unsteady_bases(graph: Graph) -> Iterator[Diagnostic]:
    """Yield a warning for each reproducible stage that starts from one that is not: its lower layers will differ."""
    epochs = {vertex.id: vertex.settings.epoch for vertex in graph.vertices}
    for vertex in graph.vertices:
        base = vertex.base.vertex if isinstance(vertex.base, FromVertex) else ""
        if base and epochs[vertex.id] is not None and epochs[base] is None:
            message = f"'{vertex.id}' is to be reproducible, but its base '{base}' is not"
            yield Diagnostic("unsteady-base", message, vertex.stage.base.span, _HINT, severity="warning")
