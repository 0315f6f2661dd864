"""The stages that are to run though nothing of theirs changed: by -B, --no-cache, and `no_cache` in build files."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from zbuild.base.errors import UsageError
from zbuild.base.text import did_you_mean

if TYPE_CHECKING:
    from zbuild.api.options import BuildOptions
    from zbuild.graph.types import Graph, Vertex


_EVERYTHING = "*"


def stages_to_run(graph: Graph, options: BuildOptions) -> dict[str, str]:
    """Return the ids of those stages, each with the reason in words.

    Raises UsageError for a name in `options.no_cache` that is no image or stage (`image/stage`) of the graph, and a
    pattern that none matches.
    """
    if options.always:
        return {vertex.id: "asked to run everything (-B)" for vertex in graph.vertices}
    again = {vertex.id: "no_cache is set" for vertex in graph.vertices if vertex.settings.no_cache}
    for name in options.no_cache:
        found = [vertex.id for vertex in graph.vertices if _is_meant(name, vertex, graph)]
        if not found and name != _EVERYTHING:
            raise _unknown(name, graph)
        asked = "--no-cache" if name == _EVERYTHING else f"--no-cache={name}"
        again |= dict.fromkeys(found, f"asked to run it ({asked})")
    return again


def _is_meant(name: str, vertex: Vertex, graph: Graph) -> bool:
    images = {vertex.image, *(node.name for node in graph.images if vertex.id in node.vertices)}
    return any(fnmatchcase(text, name) for image in images for text in (image, f"{image}/{vertex.label}"))


def _unknown(name: str, graph: Graph) -> UsageError:
    image, _, stage = name.rpartition("/")
    names = {vertex.image for vertex in graph.vertices}
    stages = {f"{vertex.image}/{vertex.label}" for vertex in graph.vertices}
    known = stages if stage and image in names else names
    return UsageError(
        "unknown-target",
        f"--no-cache names '{name}', which nothing that is to be built has",
        hint=did_you_mean(name, sorted(known)) or "`zbuild plan` shows the stages",
    )
