"""What a build came to, for callers and for the metadata file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zbuild.api.build import needed_stages
from zbuild.api.options import BuildReport, ImageReport, PlatformReport, StageReport
from zbuild.graph.types import ImageNode

if TYPE_CHECKING:
    from zbuild.api.build import Build
    from zbuild.graph.types import Graph, Vertex


def make_report(graph: Graph, build: Build, started: float) -> BuildReport:
    """Report every image whose result is there; `started` is on the monotonic clock."""
    nodes = (*graph.images, *_unnamed(graph))
    images = tuple(_image(graph, build, node) for node in nodes if build.finished.keys() >= set(node.vertices))
    return BuildReport(images, time.monotonic() - started, graph.targets)


def _unnamed(graph: Graph) -> tuple[ImageNode, ...]:
    """Return what was built without being an image of the workspace: nested builds, and stages that are targets."""
    named = {graph.by_id()[name].image for node in graph.images for name in node.vertices}
    outputs: dict[str, list[Vertex]] = {}
    for vertex in graph.vertices:
        if vertex.output and vertex.image not in named:
            others = outputs.get(vertex.image, [])
            outputs[vertex.image] = [vertex, *(other for other in others if other.label == vertex.label)]
    return tuple(ImageNode(image, tuple(vertex.id for vertex in found)) for image, found in outputs.items())


def _image(graph: Graph, build: Build, node: ImageNode) -> ImageReport:
    platforms = tuple(_platform(graph, build, name) for name in node.vertices)
    stages = tuple(_stage(graph, build, name) for name in needed_stages(graph, node.vertices))
    spent = sum(stage.seconds for stage in stages if stage.action == "run")
    made = build.lists.get(node.name) or (platforms[0] if len(platforms) == 1 else None)
    return ImageReport(
        name=node.name,
        image_id=made.image_id if made else "",
        digest=made.digest if made else "",
        tags=build.tags_of(node),
        layer_count=sum(item.layer_count for item in platforms),
        size=sum(item.size for item in platforms),
        build_time_ms=round(spent * 1000),
        stages=stages,
        platforms=platforms,
    )


def _platform(graph: Graph, build: Build, vertex: str) -> PlatformReport:
    record = build.finished[vertex].record
    platform = str(graph.by_id()[vertex].platform)
    return PlatformReport(platform, record.image_id, record.digest, record.layer_count, record.size)


def _stage(graph: Graph, build: Build, name: str) -> StageReport:
    vertex = graph.by_id()[name]
    finished = build.finished.get(name)
    decision = build.decisions[name]
    platform = str(vertex.platform)
    if finished is None:
        key = decision.record.key if decision.record else decision.key
        return StageReport(vertex.label, key, "cached", 0.0, decision.reason, platform)
    key, action = finished.record.key, finished.action
    return StageReport(vertex.label, key, action, finished.seconds, finished.reason, platform)
