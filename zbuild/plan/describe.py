"""Every stage of a graph with its steps, its configuration, its material and the keys known beforehand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostic, Diagnostics
from zbuild.base.errors import BuildFileError, MissingImagesError, RegistryError
from zbuild.graph.base_uses import use_span
from zbuild.graph.types import FromFolder, FromReference, FromScratch, FromVertex
from zbuild.model.image_config import ImageConfig
from zbuild.model.remote import GitOrigin, UrlOrigin
from zbuild.model.steps import ContextOrigin, CopyStep, ImageOrigin, StageOrigin
from zbuild.plan.evaluate import evaluate
from zbuild.plan.key import Pending, fold, material

if TYPE_CHECKING:
    from collections.abc import Collection

    from zbuild.base.errors import ZbuildError
    from zbuild.base.platform import Platform
    from zbuild.base.span import Span
    from zbuild.graph.types import Graph, Vertex
    from zbuild.model.remote import RemoteOrigin
    from zbuild.model.steps import Origin, Selection
    from zbuild.plan.evaluate import Evaluation
    from zbuild.plan.key import Item, Material


class Base(Protocol):
    """What the plan needs to know of a base image; the backend's own value has more.

    One that is not here, and is not to be pulled now, has no digest and no configuration.
    """

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

    def prepare(self, origins: Collection[RemoteOrigin], pull: str) -> None:
        """Ask for several origins at once, so that `remote` need not ask for one after another."""
        ...

    def remote(self, origin: RemoteOrigin, pull: str) -> str:
        """Return the sha256 of what a URL holds, or the commit that a git reference means.

        Raises RegistryError when it is not to be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class Described:
    """One stage, ready to be decided upon; `base` is the image it starts from, if not of here."""

    vertex: Vertex
    evaluation: Evaluation
    material: Material
    static_key: str
    own_key: str
    base: Base | None = None

    @property
    def items(self) -> tuple[Item, ...]:
        """All inputs, in order."""
        return self.material.items


def describe(graph: Graph, sources: Sources, backend: str) -> dict[str, Described]:
    """Describe all stages, in topological order.

    Raises BuildFileError with the problems of all stages whose bases could be described, among them the images that
    are not to be had; MissingImagesError when there are only such.
    """
    found: dict[str, Described] = {}
    diagnostics = Diagnostics()
    missing: list[tuple[str, Diagnostic]] = []
    for vertex in graph.vertices:
        if all(name in found for name in vertex.inputs):
            try:
                found[vertex.id] = describe_stage(vertex, found, sources, backend)
            except BuildFileError as error:
                diagnostics.items.extend(error.diagnostics)
            except MissingImagesError as error:
                missing += error.missing
    if missing:
        raise _told(diagnostics, missing, graph)
    diagnostics.check()
    return found


def _told(diagnostics: Diagnostics, missing: list[tuple[str, Diagnostic]], graph: Graph) -> ZbuildError:
    """Return the error that tells of images that are not to be had, with hints, and of what else is wrong."""
    from zbuild.plan.near_images import image_hint  # noqa: PLC0415 - only errors need it

    hinted = [
        (name, problem if problem.hint else replace(problem, hint=image_hint(name, graph.names)))
        for name, problem in missing
    ]
    if not diagnostics.errors:
        return MissingImagesError(hinted)
    diagnostics.items.extend(problem for _, problem in hinted)
    return BuildFileError(diagnostics.errors)


def describe_stage(vertex: Vertex, found: dict[str, Described], sources: Sources, backend: str) -> Described:
    """Describe one stage whose inputs are described already.

    Raises BuildFileError, and MissingImagesError with all images of the stage that are not to be had.
    """
    look_up = _LookUp(vertex, sources)
    image, base_item, config = _base(vertex, found, look_up)
    triggered = vertex if image is None else _with_triggers(vertex, config.onbuild)
    evaluation = evaluate(triggered, config, _origins(triggered, sources, look_up))
    made = _material(vertex, evaluation, base_item, sources, backend)
    static = fold(made.items, lambda item: found[item.vertex].static_key)
    return Described(vertex, evaluation, made, static, fold(made.items, lambda _: ""), image)


class _LookUp:
    """Finds the images that one stage names; those that are not to be had are gathered, with their places."""

    def __init__(self, vertex: Vertex, sources: Sources) -> None:
        self._vertex = vertex
        self._sources = sources
        self._missing: list[tuple[str, Diagnostic]] = []

    def image(self, reference: str, name: str = "") -> Base | None:
        """Return the base, or with `name` what instructions call so; None, and noted, when it is not to be had."""
        try:
            return self._sources.base(reference, self._vertex.platform, self._vertex.settings.pull)
        except RegistryError as error:
            problem = Diagnostic(error.code, error.message, self._place(name), error.hint)
            self._missing.append((reference, problem))
            return None

    def _place(self, name: str) -> Span:
        return use_span(self._vertex, name)

    def check(self) -> None:
        """Raise MissingImagesError with all that was noted, if anything was."""
        if self._missing:
            raise MissingImagesError(self._missing)


def _base(
    vertex: Vertex, found: dict[str, Described], look_up: _LookUp
) -> tuple[Base | None, str | Pending, ImageConfig]:
    match vertex.base:
        case FromReference(reference):
            image = look_up.image(reference)
            return (None, "", ImageConfig()) if image is None else (image, image.digest or "?", image.config)
        case FromVertex(name):
            return None, Pending(name), found[name].evaluation.config
        case FromScratch():
            return None, "scratch", ImageConfig()


def _with_triggers(vertex: Vertex, triggers: tuple[str, ...]) -> Vertex:
    """Put what ONBUILD stored in an image that is not built here before a stage's own instructions.

    Raises BuildFileError for one that reads a stage or a named context: the graph is made before the image is looked
    at.
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
            message = f"an ONBUILD instruction of the base copies from '{name}' here, which is not supported yet"
            raise BuildFileError([Diagnostic("not-yet", message, span, "write that COPY into the stage itself")])
        try:
            known[name] = FromReference(str(normalise(name)))
        except ValueError as error:
            raise BuildFileError([Diagnostic("bad-reference", str(error), span)]) from None
    return replace(vertex, stage=stage, sources=tuple(known.items()))


def _origins(vertex: Vertex, sources: Sources, look_up: _LookUp) -> dict[str, Origin]:
    origins: dict[str, Origin] = {
        "": ContextOrigin(sources.folder(vertex.context), sources.ignore(vertex.context, vertex.file))
    }
    for name, source in vertex.sources:
        match source:
            case FromVertex(stage):
                origins[name] = StageOrigin(stage)
            case FromFolder(path):
                origins[name] = ContextOrigin(sources.folder(path), sources.ignore(path, ""))
            case GitOrigin():
                origins[name] = source
            case FromReference(reference):
                image = look_up.image(reference, name)
                origins[name] = ImageOrigin(reference, "" if image is None else image.digest)
    look_up.check()
    return origins


def _material(vertex: Vertex, evaluation: Evaluation, base: str | Pending, sources: Sources, backend: str) -> Material:
    """Return the stage's material. Raises BuildFileError, and MissingImagesError when only other machines fail."""
    digests = _Digests(vertex, evaluation, sources)
    digests.prepare()
    made = material(vertex, evaluation, base, backend, digests)
    digests.check()
    return made


class _Digests:
    """Digests what a stage reads; what is not to be had is noted with the instruction that asks for it."""

    def __init__(self, vertex: Vertex, evaluation: Evaluation, sources: Sources) -> None:
        self._vertex = vertex
        self._steps = evaluation.steps
        self._sources = sources
        self._diagnostics = Diagnostics()
        self._missing: list[tuple[str, Diagnostic]] = []

    def prepare(self) -> None:
        """Ask other machines for all that the stage takes from them, if that is more than one thing."""
        origins = dict.fromkeys(step.origin for step in self._steps if isinstance(step, CopyStep))
        remote = [origin for origin in origins if isinstance(origin, UrlOrigin | GitOrigin)]
        if len(remote) > 1:
            self._sources.prepare(remote, self._vertex.settings.pull)

    def context(self, origin: ContextOrigin, selection: Selection) -> str:
        try:
            return self._sources.digest(origin, selection)
        except ValueError as error:
            place = self._place("selection", selection)
            self._diagnostics.error("missing-source", str(error), place, getattr(error, "hint", ""))
            return ""

    def remote(self, origin: RemoteOrigin) -> str:
        try:
            return self._sources.remote(origin, self._vertex.settings.pull)
        except RegistryError as error:
            problem = Diagnostic(error.code, error.message, self._place("origin", origin), error.hint)
            self._missing.append((origin.shown, problem))
            return ""

    def check(self) -> None:
        """Raise what was noted."""
        self._diagnostics.check()
        if self._missing:
            raise MissingImagesError(self._missing)

    def _place(self, part: str, value: object) -> Span:
        stage = self._vertex.stage
        return next((step.span for step in self._steps if getattr(step, part, None) == value), stage.span)
