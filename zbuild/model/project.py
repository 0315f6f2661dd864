"""A workspace as its build files describe it, before anything is resolved."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.model.caches import CacheSettings
from zbuild.model.ops import NOWHERE

if TYPE_CHECKING:
    from zbuild.base.diagnostic import Diagnostic
    from zbuild.base.epoch import Reproducible
    from zbuild.base.span import Span
    from zbuild.model.contexts import NamedContexts
    from zbuild.model.definition import Definition
    from zbuild.model.mounts import CacheMount
    from zbuild.model.ops import Pairs
    from zbuild.model.secrets import Agents, Secrets

ImageFormat: TypeAlias = Literal["oci", "docker"]
LayersMode: TypeAlias = Literal["auto", "all", "none"]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """An image of the workspace. Paths are relative to the workspace; `file` "" means: found in `context`.

    `definition` is given for an image defined inline (and for an included ZImagefile or Dockerfile `file` is).
    `depends_on` orders, and is in no key. Values are interpolated already. `contexts` are the image's own, by name.
    """

    name: str
    context: str = "."
    file: str = ""
    definition: Definition | None = None
    tags: tuple[str, ...] = ()
    build_args: Pairs = ()
    depends_on: tuple[str, ...] = ()
    target: str = ""
    platforms: tuple[str, ...] = ()
    os: str = ""
    no_cache: bool = False
    format: ImageFormat = "oci"
    retries: int = 0
    cache_mounts: tuple[CacheMount, ...] = ()
    labels: Pairs = ()
    annotations: Pairs = ()
    pull: str = ""
    reproducible: Reproducible = None
    contexts: NamedContexts = ()
    secrets: Secrets = ()
    ssh: Agents = ()
    layers: LayersMode = "auto"
    squash: bool = False
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Group:
    """A name for several images; members are image names, other groups, or patterns.

    `is_matrix`: the members are the images that a matrix makes, which the name in `images` stands for.
    """

    name: str
    members: tuple[str, ...]
    is_matrix: bool = False
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Project:
    """A workspace: `root` is its absolute folder; `files` are the build files read, relative to it.

    `folders` are the folders whose listing decided what was read (globs of `include`, look-ups of a build file): when
    one of them changes, the project must be read again; likewise when one of the paths `missing` comes to be, or one of
    the variables of the `environment` changes. `warnings` are the problems that stop nothing. `recipes` is the folder
    of the workspace's own recipes, "" for none. `contexts` are those that every image has. `registry` is where
    references lead that name none, "" for docker.io. `secrets`, `ssh` and `reproducible` are what builds
    have that no image names. `push_after_all`: tags are pushed when everything else is in the registries. `cache`: the
    remote caches.
    """

    root: str
    images: tuple[ImageSpec, ...] = ()
    groups: tuple[Group, ...] = ()
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = field(default=(), compare=False)
    recipes: str = ""
    contexts: NamedContexts = ()
    registry: str = ""
    secrets: Secrets = ()
    ssh: Agents = ()
    push_after_all: bool = False
    reproducible: Reproducible = None
    cache: CacheSettings = field(default_factory=CacheSettings)

    def image(self, name: str) -> ImageSpec | None:
        """Return the image of that name."""
        return next((spec for spec in self.images if spec.name == name), None)
