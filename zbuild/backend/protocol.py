"""What a backend is: the one face the rest of zbuild knows."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from zbuild.base.platform import Platform
    from zbuild.events.bus import Emit
    from zbuild.model.image_config import ImageConfig
    from zbuild.model.remote import RemoteOrigin
    from zbuild.model.secrets import AgentSource, SecretSource
    from zbuild.model.steps import Selection, Step

PullPolicy: TypeAlias = Literal["newer", "always", "never", "missing"]
"""When a registry is asked what a reference means; backends know no `newer` (see `fetch.bases`)."""
StorePolicy: TypeAlias = Literal["always", "never", "missing"]


Packaging: TypeAlias = Literal["oci-archive", "oci", "docker-archive", "dir"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do: target operating systems, whether RUN works, and how it runs things (for people).

    `pulls`: images can come from registries.
    """

    systems: tuple[str, ...]
    run: bool
    networks: tuple[str, ...] = ("host",)
    detail: str = ""
    pulls: bool = True


@dataclass(frozen=True, slots=True)
class BaseImage:
    """An image that stages can start from; one that is not in the store yet has no id.

    `digest` is that of the manifest of its platform, never an index's, `diff_ids` are its layers'.
    """

    image_id: str
    digest: str
    config: ImageConfig
    diff_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """A checkpoint to go on from: an image with the files as they are after the first `done` steps of a stage.

    Its configuration may be any.
    """

    image_id: str
    done: int


@dataclass(frozen=True, slots=True)
class Layering:
    """After which steps a stage's files are to be kept as checkpoints; `keys` names them after each step.

    `all`: after every step. `auto`: where it pays. On this machine one more commit costs `price` seconds, and each byte
    that is written to it `per_byte`. After so many steps as `likely` has, others are likely to begin: this stage, since
    it differs there from the last time, or other stages, which part with it there.
    """

    mode: Literal["auto", "all", "none"] = "none"
    keys: tuple[str, ...] = ()
    price: float = 0.1
    per_byte: float = 4e-9
    likely: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """A checkpoint that a backend has made: the files after the first `done` steps, durable. `size` is of all layers.

    `copied` is as in `StageResult`, for the steps that were carried out so far.
    """

    key: str
    done: int
    image_id: str
    diff_ids: tuple[str, ...]
    size: int
    copied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageBuild:
    """An order to build one stage.

    `base` None is scratch. `images` maps vertex ids and references in the steps' origins to image ids. `names` are
    tags to commit under ("" or none: the backend's own name for the key). `exports` are selections of the result
    whose digests are wanted. `log` is the file that all output also goes to. `fetched` says in which folders of this
    machine the files lie that ADD takes from other machines, `secrets` and `agents` where those are found that may be
    mounted, by their ids. With a `start`, its steps are not carried out. With an `epoch` (seconds since
    1970) the image depends on the order alone: all files and the image itself bear that time, and nothing in it tells
    of this machine or store. `read_only`: others read the result and build upon it, and nobody wants it as an image;
    the backend may keep its files alone (see `Backend.is_image`).
    """

    stage: str
    key: str
    platform: Platform
    base: BaseImage | None
    steps: tuple[Step, ...]
    config: ImageConfig
    names: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    exports: tuple[Selection, ...] = ()
    format: Literal["oci", "docker"] = "oci"
    annotations: tuple[tuple[str, str], ...] = ()
    log: str = ""
    fetched: Mapping[RemoteOrigin, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    agents: Mapping[str, AgentSource] = field(default_factory=dict)
    start: Start | None = None
    layering: Layering = Layering()
    epoch: int | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class StageResult:
    """A finished stage, all real. `size` in bytes over all layers; `seconds` per step; digests per selection.

    `copied` tells, for each COPY and ADD of files of a context, in which state they were (`fingerprint.digest_stamps`);
    "" when they did not stand still. Steps of a checkpoint took 0 seconds, and are not in `copied`. `commits` tells how
    many seconds each commit took, with the container for it, and how many bytes it wrote.
    """

    image_id: str
    digest: str
    diff_ids: tuple[str, ...]
    size: int
    layer_count: int
    seconds: tuple[float, ...]
    exports: tuple[tuple[Selection, str], ...] = ()
    copied: tuple[str, ...] = ()
    commits: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An order that a run began and never recorded: the names it commits under, and when it began (unix time)."""

    names: tuple[str, ...]
    started: float


@dataclass(frozen=True, slots=True)
class PushOrder:
    """An image or a list of the store, and what a registry is to call it: registry, repository and tag, in full."""

    image_id: str
    reference: str


@dataclass(frozen=True, slots=True)
class ImageList:
    """A list of images of several platforms in the store, and its digest there."""

    image_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class ImageUse:
    """What holds an image of the store, and what it takes.

    `given_names` are those that are not the backend's own, of this workspace, and those of lists that it is in;
    `in_use` tells whether a container stands on it. `layers` are the bytes of each layer by its id, unpacked as tars;
    images may share them.
    """

    given_names: tuple[str, ...]
    in_use: bool
    layers: Mapping[str, int]


Keep: TypeAlias = "Callable[[KeptFiles], None]"


def forget(_kept: KeptFiles) -> None:
    """Keep no checkpoint."""


class Backend(Protocol):
    """Runs instructions, holds images. Calls may come from several threads at once."""

    name: str

    def capabilities(self) -> Capabilities:
        """Say what this backend can do here, probing it once and remembering.

        Raises BackendError, with what to install as its hint, when it cannot work on this machine.
        """
        ...

    def resolve(self, reference: str, platform: Platform, pull: StorePolicy) -> BaseImage:
        """Find a base image, pulling it as the policy says; by a digest it is found whatever it is called.

        Raises RegistryError when it is not to be had.
        """
        ...

    def build(self, order: StageBuild, emit: Emit, keep: Keep = forget) -> StageResult:
        """Run a stage's steps on its base and commit the result; on return it is durable.

        `keep` is told of each checkpoint that the order's layering asks for, as soon as it is durable.

        Raises StageError for a step that failed, ImageGoneError for a missing image, BackendError for its own faults.
        """
        ...

    def tree_digest(self, image_id: str, selections: Sequence[Selection], *, shared: bool = False) -> tuple[str, ...]:
        """Digest what each selection takes from an image (as COPY --from would); `shared` by sha256."""
        ...

    def root(self, image_id: str) -> bytes:
        """Return a folder that shows an image's files, to be read until the backend is closed.

        Raises ImageGoneError.
        """
        ...

    def check(self, image_id: str) -> tuple[str, ...]:
        """Say what is wrong with an image of the store: content that is not what its digests name, for one.

        Nothing is said of one that is whole. Raises ImageGoneError, BackendError.
        """
        ...

    def layers_digest(self, image_id: str, below: int) -> str:
        """Digest what an image's layers add up to, times aside, but for its lowest `below` ones: 32 hex digits.

        "" where layers cannot be read one by one. Raises ImageGoneError, BackendError.
        """
        ...

    def images(self) -> Mapping[str, tuple[str, ...]]:
        """List every image in the store, id → names, and whatever else results are; cheap enough for every run."""
        ...

    def is_image(self, image_id: str) -> bool:
        """Tell whether what has that id in `images` is an image: it can be tagged and pushed, others are only read."""
        ...

    def usage(self) -> Mapping[str, ImageUse]:
        """Tell of every image in the store what holds it and what it takes, by its id."""
        ...

    def store_stamp(self) -> tuple[tuple[str, int, int, int], ...]:
        """Return (path, size, mtime_ns, inode) of the files that change when an image comes, goes or is named."""
        ...

    def tag(self, image_id: str, names: Sequence[str]) -> None:
        """Give an image more names, taking each from whatever image had it."""
        ...

    def make_list(self, image_ids: Sequence[str]) -> ImageList:
        """Put images of several platforms into a list, unless there is one; it has names like any image.

        A list that users have given no name is gone after the next sweep. Raises ImageGoneError.
        """
        ...

    def cannot_run(self, platform: Platform) -> str:
        """Return why programs of a platform cannot be run here, "" when they can."""
        ...

    def remove(self, image_ids: Sequence[str]) -> None:
        """Remove images, with all their names; ones that are gone are no error."""
        ...

    def push(
        self, orders: Sequence[PushOrder], pushed: Callable[[PushOrder, str], None], *, tags_last: bool = False
    ) -> None:
        """Push images to registries, in order; `pushed` is told each order that is done, and the manifest's digest.

        `tags_last`: no tag is set before all blobs and manifests are in their repositories. Raises RegistryError,
        ImageGoneError before anything is pushed. Called under the workspace's lock.
        """
        ...

    def layers(self) -> Collection[str]:
        """Return the diff ids of all layers in the store."""
        ...

    def export(self, image_ids: Sequence[str], folder: Path, *, without: Collection[str] = ()) -> tuple[str, ...]:
        """Write images to a folder as one OCI image layout, and return the digests of their manifests, in order.

        Manifests and configs are those of the store, byte for byte; layers are plain tars, named by their diff ids,
        and those `without` are left out. A layout that is there is added to. Raises ImageGoneError, BackendError.
        """
        ...

    def load(self, folder: Path, digest: str, key: str, names: Sequence[str] = ()) -> str:
        """Bring the image of an image layout whose manifest has that digest into the store, and return its id.

        Layers are plain tars; those that the store has need not be in the layout. It bears the names, without any the
        backend's own for the key. On return it is durable. Raises BackendError when something is missing or false.
        """
        ...

    def save(self, image_id: str, packaging: Packaging, path: str, names: Sequence[str]) -> None:
        """Write an image, or a list and all in it, to a path that is not there yet, as other tools have it.

        `names` are what it is called there, where that can be told. Raises ImageGoneError, and BackendError for what
        cannot be written.
        """
        ...

    def sweep(self, keep: Collection[str], unfinished: Sequence[Unfinished]) -> tuple[str, ...]:
        """Remove what dead runs of this workspace left, and say what was removed.

        That is: its working containers, its own-named images whose id is not in `keep`, and images that an
        `unfinished` order committed under a user's tag without being recorded. Called under the workspace's lock.
        """
        ...

    def cancel(self) -> None:
        """Stop every process this backend has started, and let `build` calls end with an error."""
        ...

    def close(self) -> None:
        """Release what the backend holds; called once, at the end of a run."""
        ...
