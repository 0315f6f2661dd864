"""What a caller can ask of a build, and what it gets back."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from zbuild.api.proof import Proof
    from zbuild.events.types import Action
    from zbuild.model.secrets import Agents, Secrets
    from zbuild.syntax.outputs import Output

PullChoice: TypeAlias = Literal["", "newer", "always", "never", "missing"]
LayersChoice: TypeAlias = Literal["", "auto", "all", "none"]
Document: TypeAlias = Literal["provenance", "sbom"]


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Choices for one run. `jobs` 0 = one per core. `backend` "" = chosen; `target` picks a stage of each image.

    A context without a build file is built by the recipe `runtime`, or, with `detect`, by the one that its files
    suggest. `contexts` are named build contexts as `--build-context` takes them; folders are absolute, or relative to
    the workspace. `pull` says when registries are asked what bases mean, "": as the build files say, else `newer`;
    `locked`: a base that the lock does not hold is an error. `secrets` and `agents` are where RUN's mounts of these are
    found, by their ids, before those that build files name. `push`: after the build, push the targets' tags that name a
    registry. `no_cache` are images and stages (`image/stage`, patterns) to run come what may. `layers` says after which
    instructions the files are kept as checkpoints, "" = as the build files say.
    `provenance`, `sbom`: make these of the targets, attach them to what is pushed, and write them to the folder
    `attestations` (absolute, or relative to the workspace; "" for none).
    `reproducible` holds for all images that do not say themselves. `platforms` are what the targets are built for,
    before what build files say. `outputs` are where the targets are written to besides the store, by absolute
    paths; `load`: into docker. `labels`, `annotations` and `squash` are for the targets, besides what build files say.

    `cache_from` and `cache_to` are remote caches to read from and to write to, in the place of those that build files
    name: folders, `s3://BUCKET/PREFIX` or repositories of registries. Entries older than `cache_ttl` seconds are not
    used, 0: all are. `cache_read_only`: nothing is written, whoever asks for it.
    """

    jobs: int = 0
    keep_going: bool = False
    always: bool = False
    build_args: tuple[tuple[str, str], ...] = ()
    target: str = ""
    tags: tuple[str, ...] = ()
    backend: str = ""
    pull: PullChoice = ""
    locked: bool = False
    wait: bool = True
    detect: bool = False
    runtime: str = ""
    contexts: tuple[tuple[str, str], ...] = ()
    secrets: Secrets = ()
    agents: Agents = ()
    push: bool = False
    no_cache: tuple[str, ...] = ()
    layers: LayersChoice = ""
    reproducible: bool = False
    provenance: bool = False
    sbom: bool = False
    attestations: str = ""
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    cache_ttl: float = 0.0
    cache_read_only: bool = False
    platforms: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    squash: bool = False
    outputs: tuple[Output, ...] = ()
    load: bool = False

    @property
    def all_outputs(self) -> tuple[Output, ...]:
        """Where the targets are written to; `load` is one more."""
        from zbuild.syntax.outputs import Output  # noqa: PLC0415 - few builds write images

        return (*self.outputs, Output("docker")) if self.load else self.outputs

    @property
    def has_caches(self) -> bool:
        """Whether remote caches are named here."""
        return bool(self.cache_from or self.cache_to)

    @property
    def documents(self) -> tuple[Document, ...]:
        """What is to be made besides the images."""
        asked: tuple[tuple[Document, bool], ...] = (("provenance", self.provenance), ("sbom", self.sbom))
        return tuple(kind for kind, wanted in asked if wanted)


@dataclass(frozen=True, slots=True)
class StageReport:
    """What became of one stage."""

    name: str
    key: str
    action: Action
    seconds: float
    reason: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class PlatformReport:
    """An image's result for one platform; size in bytes."""

    platform: str
    image_id: str
    digest: str
    layer_count: int
    size: int


@dataclass(frozen=True, slots=True)
class ImageReport:
    """A built image; sizes in bytes, times in ms (`build_time_ms`: spent on its stages in this run).

    For several platforms, `image_id` and `digest` are those of the list that bears the tags, "" where there are no
    tags, and sizes are sums.
    """

    name: str
    image_id: str
    digest: str
    tags: tuple[str, ...]
    layer_count: int
    size: int
    build_time_ms: int
    stages: tuple[StageReport, ...] = field(default_factory=tuple)
    platforms: tuple[PlatformReport, ...] = ()


@dataclass(frozen=True, slots=True)
class PushedTag:
    """A tag that a registry now holds; `reference` is in full, `digest` the manifest's, in the registry."""

    image: str
    reference: str
    digest: str


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The `targets` that were asked for, and every image they brought along, as they stand at the end of the run."""

    images: tuple[ImageReport, ...]
    seconds: float
    targets: tuple[str, ...] = ()
    proof: Proof | None = None
    pushed: tuple[PushedTag, ...] = ()

    def with_proof(self, proof: Proof) -> BuildReport:
        """Return the report with what the no-op fast path rests on."""
        return replace(self, proof=proof)

    def as_cached(self) -> BuildReport:
        """Return the report that the same build gives once more, when nothing has changed by then."""
        images = tuple(replace(image, build_time_ms=0, stages=_cached(image.stages)) for image in self.images)
        return replace(self, images=images, seconds=0.0)


def _cached(stages: tuple[StageReport, ...]) -> tuple[StageReport, ...]:
    return tuple(replace(stage, action="cached", seconds=0.0, reason="up to date") for stage in stages)


@dataclass(frozen=True, slots=True)
class ImageListing:
    """An image of the workspace as `zbuild list` shows it; `file` "" for one defined inline, `platforms` as written."""

    name: str
    context: str
    file: str
    tags: tuple[str, ...]
    groups: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
