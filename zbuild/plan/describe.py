"""Every stage of a graph with its steps, its configuration, its material and the keys known beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from zbuild.base.diagnostic import Diagnostic, Diagnostics
from zbuild.base.errors import BuildFileError
from zbuild.graph.types import FromReference, FromScratch, FromVertex
from zbuild.model.image_config import ImageConfig
from zbuild.model.steps import ContextOrigin, ImageOrigin, StageOrigin
from zbuild.plan.evaluate import evaluate
from zbuild.plan.key import Pending, fold, material

if TYPE_CHECKING:
    from zbuild.base.platform import Platform
    from zbuild.graph.types import Graph, Vertex
    from zbuild.model.steps import Origin, Selection
    from zbuild.plan.evaluate import Evaluation
    from zbuild.plan.key import Item


class Base(Protocol):
    """What the plan needs to know of a base image; the backend's own value has more."""

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        ...

    @property
    def config(self) -> ImageConfig:
        """The image's configuration."""
        ...


class Sources(Protocol):
    """Where a plan gets what lies outside of build files."""

    def base(self, reference: str, platform: Platform, pull: str) -> Base:
        """Find an image that is not built here. Raises RegistryError when it is not to be had."""
        ...

    def ignore(self, context: str, file: str) -> tuple[str, ...]:
        """Return the ignore patterns of a context, as read for this build file. Raises BuildFileError."""
        ...

    def folder(self, context: str) -> str:
        """Return a context's absolute folder."""
        ...

    def digest(self, origin: ContextOrigin, selection: Selection) -> str:
        """Digest what a selection takes from a context. Raises SelectionError (a ValueError) for a missing source."""
        ...


@dataclass(frozen=True, slots=True)
class Described:
    """One stage, ready to be decided upon. `items` is its material; `base` the image it starts from, if not built here.

    `images` maps references in origins to their full names, for the backend.
    """

    vertex: Vertex
    evaluation: Evaluation
    items: tuple[Item, ...]
    static_key: str
    own_key: str
    base: Base | None = None


def describe(graph: Graph, sources: Sources, backend: str) -> dict[str, Described]:
    """Describe all stages, in topological order.

    Raises BuildFileError with the problems of all stages whose bases could be described.
    """
    found: dict[str, Described] = {}
    diagnostics = Diagnostics()
    for vertex in graph.vertices:
        if all(name in found for name in vertex.inputs):
            try:
                found[vertex.id] = describe_stage(vertex, found, sources, backend)
            except BuildFileError as error:
                diagnostics.items.extend(error.diagnostics)
    diagnostics.check()
    return found


def describe_stage(vertex: Vertex, found: dict[str, Described], sources: Sources, backend: str) -> Described:
    """Describe one stage whose inputs are described already."""
    image, base_item, config = _base(vertex, found, sources)
    triggered = vertex if image is None else _with_triggers(vertex, config.onbuild)
    evaluation = evaluate(triggered, config, _origins(triggered, sources))
    items = _material(vertex, evaluation, base_item, sources, backend)
    static = fold(items, lambda item: found[item.vertex].static_key)
    return Described(vertex, evaluation, items, static, fold(items, lambda _: ""), image)


def _base(
    vertex: Vertex, found: dict[str, Described], sources: Sources
) -> tuple[Base | None, str | Pending, ImageConfig]:
    match vertex.base:
        case FromScratch():
            return None, "scratch", ImageConfig()
        case FromReference(reference):
            image = sources.base(reference, vertex.platform, vertex.settings.pull)
            return image, image.digest, image.config
        case FromVertex(name):
            return None, Pending(name), found[name].evaluation.config


def _with_triggers(vertex: Vertex, triggers: tuple[str, ...]) -> Vertex:
    """Put what ONBUILD stored in an image that is not built here before a stage's own instructions.

    Raises BuildFileError for one that reads a stage: the graph is made before the image can be looked at.
    """
    if not triggers:
        return vertex
    from zbuild.base.reference import normalise  # noqa: PLC0415 - few bases have any
    from zbuild.graph.resolve import source_names, with_triggers  # noqa: PLC0415 - likewise

    stage = with_triggers(vertex.stage, triggers)
    known = dict(vertex.sources)
    for name, span in source_names(stage.ops):
        if name in known:
            continue
        if name.isdecimal() or name.lower() in vertex.before:
            message = f"an ONBUILD instruction of the base copies from stage '{name}', which is not supported yet"
            raise BuildFileError([Diagnostic("not-yet", message, span, "write that COPY into the stage itself")])
        try:
            known[name] = FromReference(str(normalise(name)))
        except ValueError as error:
            raise BuildFileError([Diagnostic("bad-reference", str(error), span)]) from None
    return replace(vertex, stage=stage, sources=tuple(known.items()))


def _origins(vertex: Vertex, sources: Sources) -> dict[str, Origin]:
    origins: dict[str, Origin] = {
        "": ContextOrigin(sources.folder(vertex.context), sources.ignore(vertex.context, vertex.file))
    }
    for name, source in vertex.sources:
        if isinstance(source, FromVertex):
            origins[name] = StageOrigin(source.vertex)
        else:
            image = sources.base(source.reference, vertex.platform, vertex.settings.pull)
            origins[name] = ImageOrigin(source.reference, image.digest)
    return origins


def _material(
    vertex: Vertex, evaluation: Evaluation, base: str | Pending, sources: Sources, backend: str
) -> tuple[Item, ...]:
    """Return the stage's material; a source that is missing is told with the instruction that asks for it."""
    diagnostics = Diagnostics()

    def digest(origin: ContextOrigin, selection: Selection) -> str:
        try:
            return sources.digest(origin, selection)
        except ValueError as error:
            span = next(
                (step.span for step in evaluation.steps if getattr(step, "selection", None) == selection),
                vertex.stage.span,
            )
            diagnostics.error("missing-source", str(error), span, getattr(error, "hint", ""))
            return ""

    items = material(vertex, evaluation, base, backend, digest)
    diagnostics.check()
    return items
