"""The graph drawn: as text, for Graphviz, for Mermaid, or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, assert_never

from zbuild.graph.types import FromReference, FromScratch, FromVertex

if TYPE_CHECKING:
    from zbuild.graph.types import Graph, Vertex

GraphFormat: TypeAlias = Literal["text", "dot", "mermaid", "json"]


def render(graph: Graph, style: GraphFormat) -> str:
    """Return the graph in one of the formats, with a newline at its end."""
    match style:
        case "text":
            return _text(graph)
        case "dot":
            return _dot(graph)
        case "mermaid":
            return _mermaid(graph)
        case "json":
            return _json(graph)
        case _:
            assert_never(style)


def _edges(vertex: Vertex) -> list[tuple[str, str]]:
    """Return what a vertex needs, each with how: from, copy, or after."""
    base = [(vertex.base.vertex, "from")] if isinstance(vertex.base, FromVertex) else []
    copies = [(source.vertex, "copy") for _, source in vertex.sources if isinstance(source, FromVertex)]
    after = [(name, "after") for name in vertex.after]
    return list(dict.fromkeys([*base, *copies, *after]))


def _base_text(vertex: Vertex) -> str:
    match vertex.base:
        case FromScratch():
            return "scratch"
        case FromReference(reference):
            return reference
        case FromVertex(name):
            return name
        case _:
            assert_never(vertex.base)


def _text(graph: Graph) -> str:
    lines = []
    for vertex in graph.vertices:
        lines.append(f"{vertex.id}  ({vertex.platform})")
        lines.append(f"    from   {_base_text(vertex)}")
        lines.extend(f"    {kind:<6} {name}" for name, kind in _edges(vertex) if kind != "from")
    return "".join(f"{line}\n" for line in lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _dot(graph: Graph) -> str:
    styles = {"from": "", "copy": " [style=dashed]", "after": " [style=dotted]"}
    lines = ["digraph zbuild {", "  rankdir=LR;", "  node [shape=box];"]
    for vertex in graph.vertices:
        bold = " [penwidth=2]" if vertex.output else ""
        lines.append(f"  {_quoted(vertex.id)}{bold};")
        lines.extend(f"  {_quoted(name)} -> {_quoted(vertex.id)}{styles[kind]};" for name, kind in _edges(vertex))
    return "\n".join([*lines, "}", ""])


def _mermaid(graph: Graph) -> str:
    arrows = {"from": "-->", "copy": "-.->", "after": "~~~"}
    number = {vertex.id: f"n{index}" for index, vertex in enumerate(graph.vertices)}
    lines = ["flowchart LR"]
    for vertex in graph.vertices:
        label = vertex.id.replace('"', "#quot;")
        lines.append(f'  {number[vertex.id]}["{label}"]')
        lines.extend(f"  {number[name]} {arrows[kind]} {number[vertex.id]}" for name, kind in _edges(vertex))
    return "\n".join([*lines, ""])


def _json(graph: Graph) -> str:
    import json  # noqa: PLC0415 - only this format needs it

    stages = [
        {
            "name": vertex.id,
            "image": vertex.image,
            "stage": vertex.label,
            "platform": str(vertex.platform),
            "base": _base_text(vertex),
            "file": vertex.file,
            "context": vertex.context,
            "output": vertex.output,
            "needs": [{"name": name, "how": kind} for name, kind in _edges(vertex)],
        }
        for vertex in graph.vertices
    ]
    images = [{"name": image.name, "stages": list(image.vertices), "tags": list(image.tags)} for image in graph.images]
    return json.dumps({"targets": list(graph.targets), "images": images, "stages": stages}, indent=2) + "\n"
