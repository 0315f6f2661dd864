"""The graph: one vertex per stage, equal builds merged, every name resolved."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.graph.topo import reachable
from zbuild.model.caches import CacheSettings
from zbuild.model.ops import NOWHERE
from zbuild.model.remote import GitOrigin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.base.platform import Platform
    from zbuild.base.span import Span
    from zbuild.model.definition import Stage
    from zbuild.model.mounts import CacheMount
    from zbuild.model.ops import Pairs
    from zbuild.model.secrets import Agents, Secrets


@dataclass(frozen=True, slots=True)
class FromScratch:
    """The stage starts from nothing."""


@dataclass(frozen=True, slots=True)
class FromReference:
    """An image that is not built here, by its full reference."""

    reference: str


@dataclass(frozen=True, slots=True)
class FromVertex:
    """The result of another stage, by its vertex's id."""

    vertex: str


@dataclass(frozen=True, slots=True)
class FromFolder:
    """The files of a named context's folder: relative to the workspace, or absolute."""

    path: str


VertexBase: TypeAlias = FromScratch | FromReference | FromVertex
VertexSource: TypeAlias = FromReference | FromVertex | FromFolder | GitOrigin


@dataclass(frozen=True, slots=True)
class Settings:
    """What an image asks of all its stages; `labels`, `annotations` and `squash` are for its output alone.

    `epoch` is the time that all files and the image itself bear, None for that of the build.
    """

    format: Literal["oci", "docker"] = "oci"
    retries: int = 0
    cache_mounts: tuple[CacheMount, ...] = ()
    no_cache: bool = False
    labels: Pairs = ()
    annotations: Pairs = ()
    pull: str = ""
    epoch: int | None = None
    secrets: Secrets = ()
    ssh: Agents = ()
    layers: Literal["auto", "all", "none"] = "auto"
    squash: bool = False


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What the command line asks of the targets' images, besides what their build files do."""

    labels: Pairs = ()
    annotations: Pairs = ()
    squash: bool = False


@dataclass(frozen=True, slots=True)
class Vertex:
    """One stage to build.

    `id` is `image/stage`, or the image's name alone for an unnamed last stage; `label` is the stage's name or index.
    `target` is the platform that the image is built for, where `platform`, the stage's own, may be another.
    `before` are the names of the stages that stand before it in its build file, and those of its named contexts.
    `sources` maps what COPY --from and bind mounts name to what it means. `after` are vertices that must be done
    first though nothing of them is read (depends_on). `context` and `file` are relative to the workspace; `args` are
    the build arguments given, `globals` the build file's global ARGs with their values. `output`: an image's result.
    """

    id: str
    image: str
    label: str
    stage: Stage
    base: VertexBase
    platform: Platform
    target: Platform
    context: str
    file: str = ""
    escape: str = "\\"
    sources: tuple[tuple[str, VertexSource], ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    args: Pairs = ()
    globals: Pairs = ()
    settings: Settings = field(default_factory=Settings)
    output: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """The vertices whose results this one reads: its base first, then what it copies from."""
        base = (self.base.vertex,) if isinstance(self.base, FromVertex) else ()
        sources = (source.vertex for _, source in self.sources if isinstance(source, FromVertex))
        return tuple(dict.fromkeys((*base, *sources)))

    @property
    def depends(self) -> tuple[str, ...]:
        """Every vertex that comes before this one."""
        return tuple(dict.fromkeys((*self.inputs, *self.after)))


@dataclass(frozen=True, slots=True)
class ImageNode:
    """An image of the workspace: the vertices that make it, one for each platform, and the names it gets."""

    name: str
    vertices: tuple[str, ...]
    tags: tuple[str, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Graph:
    """Vertices in topological order, what a vertex needs before it; `roots` are the targets' vertices.

    `names` are all the workspace's images with their tags, for hints. `push_after_all` and `cache` are the workspace's
    choices.
    """

    vertices: tuple[Vertex, ...]
    images: tuple[ImageNode, ...]
    roots: tuple[str, ...]
    targets: tuple[str, ...] = ()
    names: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), compare=False, repr=False)
    push_after_all: bool = False
    cache: CacheSettings = field(default_factory=CacheSettings)

    def as_images(self) -> frozenset[str]:
        """Return the vertices whose results must be images: those of images and targets, and what these start from."""
        wanted = {vertex.id for vertex in self.vertices if vertex.output}.union(self.roots)
        for vertex in reversed(self.vertices):
            if vertex.id in wanted and isinstance(vertex.base, FromVertex):
                wanted.add(vertex.base.vertex)
        return frozenset(wanted)

    def by_id(self) -> dict[str, Vertex]:
        """Return the vertices by id."""
        return {vertex.id: vertex for vertex in self.vertices}

    def closure(self, starts: Sequence[str]) -> set[str]:
        """Return the ids of some vertices and of all they need."""
        return reachable(starts, {vertex.id: vertex.depends for vertex in self.vertices})
