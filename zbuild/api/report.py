"""What a build came to, for callers and for the metadata file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zbuild.api.build import needed_stages
from zbuild.api.options import BuildReport, ImageReport, StageReport
from zbuild.graph.types import ImageNode

if TYPE_CHECKING:
    from zbuild.api.build import Build
    from zbuild.graph.types import Graph


def make_report(graph: Graph, build: Build, started: float) -> BuildReport:
    """Report every image whose result is there; `started` is on the monotonic clock."""
    nodes = (*graph.images, *_unnamed(graph))
    images = tuple(_image(graph, build, node) for node in nodes if node.vertex in build.finished)
    return BuildReport(images, time.monotonic() - started, graph.targets)


def _unnamed(graph: Graph) -> tuple[ImageNode, ...]:
    """Return what was built without being an image of the workspace: nested builds, and stages that are targets."""
    named = {graph.by_id()[node.vertex].image for node in graph.images}
    outputs = {vertex.image: vertex.id for vertex in graph.vertices if vertex.output and vertex.image not in named}
    return tuple(ImageNode(image, vertex) for image, vertex in outputs.items())


def _image(graph: Graph, build: Build, node: ImageNode) -> ImageReport:
    record = build.finished[node.vertex].record
    stages = tuple(_stage(graph, build, name) for name in needed_stages(graph, node.vertex))
    spent = sum(stage.seconds for stage in stages if stage.action == "run")
    return ImageReport(
        name=node.name,
        image_id=record.image_id,
        digest=record.digest,
        tags=build.tags_of(node),
        layer_count=record.layer_count,
        size=record.size,
        build_time_ms=round(spent * 1000),
        stages=stages,
    )


def _stage(graph: Graph, build: Build, name: str) -> StageReport:
    label = graph.by_id()[name].label
    finished = build.finished.get(name)
    decision = build.decisions[name]
    if finished is None:
        key = decision.record.key if decision.record else decision.key
        return StageReport(label, key, "cached", 0.0, decision.reason)
    return StageReport(label, finished.record.key, finished.action, finished.seconds, finished.reason)
