"""Project → graph: every `build:`, base and COPY --from resolved, equal builds merged, only what targets need."""

from __future__ import annotations

from collections import deque
from dataclasses import field, replace
from typing import TYPE_CHECKING, Protocol

from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostics
from zbuild.base.errors import BuildFileError, UsageError
from zbuild.base.text import did_you_mean
from zbuild.graph.images import Images
from zbuild.graph.resolve import Resolver
from zbuild.graph.select import select
from zbuild.graph.topo import CycleError, order
from zbuild.graph.types import FromVertex, Graph, ImageNode, OutputOptions, Vertex
from zbuild.model.ops import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zbuild.base.platform import Platform
    from zbuild.base.span import Span
    from zbuild.graph.instance import Instance
    from zbuild.graph.select import Selected
    from zbuild.model.contexts import NamedContexts
    from zbuild.model.definition import Definition
    from zbuild.model.ops import Pairs
    from zbuild.model.project import ImageSpec, Project


class Loader(Protocol):
    """Finds and reads build files; paths are relative to the workspace."""

    def find(self, context: str, file: str, span: Span) -> str:
        """Return the build file of a context. Raises BuildFileError when there is none."""
        ...

    def load(self, path: str) -> Definition:
        """Read a build file. Raises BuildFileError with all its problems."""
        ...


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What the command line adds: arguments and contexts for all images, the stage wanted of each target, platforms.

    `checking`: what is right but cannot be built yet is left out; otherwise it is an error. `reproducible` is for
    images that do not say themselves; `epoch` is what SOURCE_DATE_EPOCH is set to here, for builds that are given none.
    """

    build_args: Pairs = ()
    target: str = ""
    contexts: NamedContexts = ()
    platforms: tuple[Platform, ...] = ()
    checking: bool = False
    reproducible: bool = False
    epoch: str = ""
    output: OutputOptions = field(default_factory=OutputOptions)


@dataclass(slots=True)
class _Work:
    """What is known so far while the graph grows."""

    vertices: dict[str, Vertex] = field(default_factory=dict)
    outputs: dict[str, None] = field(default_factory=dict)
    pending: deque[tuple[Instance, int]] = field(default_factory=deque)


def build_graph(
    project: Project, loader: Loader, targets: Sequence[str] = (), options: GraphOptions | None = None
) -> Graph:
    """Return the graph of what the targets need.

    Raises UsageError for unknown targets, BuildFileError with every problem of the build files that were read.
    """
    return _Builder(project, loader, options or GraphOptions()).build(targets)


class _Builder:
    def __init__(self, project: Project, loader: Loader, options: GraphOptions) -> None:
        self._project = project
        self._diagnostics = Diagnostics()
        self._options = options
        self._images = Images(project, loader, options, self._diagnostics)
        self._resolver = Resolver(self._images, self._diagnostics)
        self._work = _Work()

    def build(self, targets: Sequence[str]) -> Graph:
        selected = select(self._project, targets)
        self._images.asked = {item.image: item.stage or self._options.target for item in selected}
        wanted = [(item.image, self._want(item)) for item in selected]
        roots = tuple(dict.fromkeys(root for _, found in wanted for root in found))
        self._grow()
        self._diagnostics.check()
        vertices = self._sorted()
        names = tuple(dict.fromkeys(item.image for item in selected))
        partial = {
            item.image: found
            for item, (_, found) in zip(selected, wanted, strict=True)
            if item.stage or self._options.target
        }
        known = tuple((spec.name, spec.tags) for spec in self._project.images)
        nodes = self._image_nodes(vertices, partial)
        return Graph(vertices, nodes, roots, names, known, self._project.push_after_all, self._project.cache)

    def _want(self, item: Selected) -> tuple[str, ...]:
        """Ask for a target's stage; return its vertex ids, one for each platform, or () when it cannot be read."""
        wanted = item.stage or self._options.target
        found = []
        for instance in self._images.instances(item.image):
            index = self._images.output_index(item.image, instance)
            if wanted:
                asked = instance.stage_index(wanted, len(instance.definition.stages))
                if asked is None:
                    raise _unknown_stage(instance, wanted)
                index = asked
            found.append(self._demand(instance, index))
        return tuple(dict.fromkeys(found))

    def _demand(self, instance: Instance, index: int) -> str:
        vertex_id = self._images.vertex_id(instance, index)
        self._work.outputs[vertex_id] = None
        self._work.pending.append((instance, index))
        return vertex_id

    def _grow(self) -> None:
        """Make vertices until none is missing. A work list, not recursion: chains may be thousands deep."""
        while self._work.pending:
            instance, index = self._work.pending.popleft()
            if self._images.vertex_id(instance, index) not in self._work.vertices:
                self._add(instance, index)

    def _add(self, instance: Instance, index: int) -> None:
        resolved = self._resolver.stage(instance, index)
        stage = resolved.stage
        for needed, needed_index, is_output in resolved.needs:
            if is_output:
                self._demand(needed, needed_index)
            else:
                self._work.pending.append((needed, needed_index))
        vertex_id = self._images.vertex_id(instance, index)
        self._work.vertices[vertex_id] = Vertex(
            id=vertex_id,
            image=instance.name,
            label=instance.label(index),
            stage=stage,
            base=resolved.base,
            platform=resolved.platform,
            target=instance.platform,
            context=instance.context,
            file=instance.file,
            escape=instance.definition.escape,
            sources=resolved.sources,
            before=(
                *(stage.name for stage in instance.definition.stages[:index]),
                *(name for name, _ in instance.contexts),
            ),
            after=tuple(self._after(instance, stage.span)),
            args=instance.args,
            globals=instance.globals,
            settings=instance.settings,
        )

    def _after(self, instance: Instance, span: Span) -> list[str]:
        found = []
        for name in instance.after:
            others = self._images.instances(name)
            if instance in others:
                self._diagnostics.error("cycle", f"image '{name}' depends on itself", span)
                continue
            found += [self._demand(other, self._images.output_index(name, other)) for other in others]
        return found

    def _sorted(self) -> tuple[Vertex, ...]:
        vertices = self._work.vertices
        edges = {name: vertex.depends for name, vertex in vertices.items()}
        try:
            names = order(edges)
        except CycleError as error:
            raise _cycle(error, vertices) from None
        for name in names:
            base = vertices[name].base
            if isinstance(base, FromVertex):  # whatever was asked for, the result is for the base's platform
                vertices[name] = replace(vertices[name], platform=vertices[base.vertex].platform)
        return tuple(replace(vertices[name], output=name in self._work.outputs) for name in names)

    def _image_nodes(self, vertices: Sequence[Vertex], partial: Mapping[str, tuple[str, ...]]) -> tuple[ImageNode, ...]:
        """Return the images in the graph.

        One that is asked for by stage (`partial`) stands for that, without tags. One that is merely built upon, not for
        all its platforms, has no tags: these stand for all.
        """
        ids = {vertex.id for vertex in vertices}
        needed = {name for vertex in vertices for name in vertex.depends}
        nodes = []
        for spec in self._project.images:
            outputs = {
                instance.platform: self._images.vertex_id(instance, self._images.output_index(spec.name, instance))
                for instance in self._images.loaded(spec.name)
            }
            found = {platform: name for platform, name in outputs.items() if name in ids}
            if found and (spec.name not in partial or needed.intersection(found.values())):
                nodes.append(_image_node(spec, found, self._images.platforms(spec.name)))
            elif spec.name in partial:
                nodes.append(ImageNode(spec.name, partial[spec.name], (), spec.span))
        return tuple(nodes)


def _image_node(spec: ImageSpec, found: Mapping[Platform, str], own: Sequence[Platform]) -> ImageNode:
    if not all(platform in found for platform in own):
        return ImageNode(spec.name, tuple(found.values()), (), spec.span)
    return ImageNode(spec.name, tuple(dict.fromkeys(found[platform] for platform in own)), spec.tags, spec.span)


def _unknown_stage(instance: Instance, wanted: str) -> UsageError:
    labels = [instance.label(index) for index in range(len(instance.definition.stages))]
    hint = did_you_mean(wanted, labels) or f"its stages are {', '.join(labels)}"
    return UsageError("unknown-stage", f"image '{instance.name}' has no stage '{wanted}'", hint=hint)


def _cycle(error: CycleError, vertices: dict[str, Vertex]) -> BuildFileError:
    diagnostics = Diagnostics()
    span = next((vertices[name].stage.span for name in error.path if vertices[name].stage.span != NOWHERE), None)
    diagnostics.error(
        "cycle", f"these images need each other: {error}", span, hint="take out one of these dependencies"
    )
    return BuildFileError(diagnostics.errors)
