"""What a stage reads: where it is found, and whether it is still as it was when the stage was described."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.errors import RegistryError, StageError
from zbuild.graph.types import FromReference
from zbuild.model.mounts import shows_files
from zbuild.model.remote import GitOrigin, UrlOrigin
from zbuild.model.steps import ContextOrigin, CopyStep, RunStep, Selection, takes_from_context

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbuild.api.sources import WorkspaceSources
    from zbuild.backend.protocol import BaseImage
    from zbuild.base.span import Span
    from zbuild.graph.types import Vertex
    from zbuild.model.remote import RemoteOrigin
    from zbuild.model.steps import Origin, Step
    from zbuild.plan.describe import Described


def read_by(described: Described) -> Iterator[tuple[CopyStep | RunStep, Origin]]:
    """Yield what the steps of a stage read files from, each with its step."""
    for step in described.evaluation.steps:
        if isinstance(step, CopyStep):
            yield step, step.origin
        elif isinstance(step, RunStep):
            yield from ((step, origin) for _, origin in step.origins)


def fetched(described: Described, sources: WorkspaceSources) -> dict[RemoteOrigin, str]:
    """Return where the files of other machines lie that the steps take, fetching them if it must be.

    Raises StageError.
    """
    found = {}
    for step, origin in read_by(described):
        if isinstance(origin, UrlOrigin | GitOrigin):
            try:
                found[origin] = sources.fetched(origin, described.vertex.settings.pull)
            except RegistryError as error:
                raise StageError(error.code, error.message, span=step.span, hint=error.hint) from error
    return found


def pulled_base(described: Described, base: BaseImage | None, sources: WorkspaceSources) -> BaseImage | None:
    """Return what a stage starts from as it is in the store, pulled if it must be. Raises RegistryError."""
    vertex = described.vertex
    if not isinstance(vertex.base, FromReference):
        return base
    return pulled(vertex, vertex.base.reference, vertex.stage.base.span, sources)


def pulled(vertex: Vertex, reference: str, span: Span, sources: WorkspaceSources) -> BaseImage:
    """Return an image that is not built here, likewise; `span` is where the stage asks for it."""
    try:
        return sources.pulled(reference, vertex.platform, vertex.settings.pull)
    except RegistryError as error:
        raise RegistryError(error.code, error.message, span=span, hint=error.hint) from error


def copied(steps: Sequence[Step], sources: WorkspaceSources) -> tuple[str, ...]:
    """Return the state of what each COPY and ADD takes from a context, as last digested."""
    copies = [step for step in steps if isinstance(step, CopyStep) and takes_from_context(step)]
    return tuple(
        sources.stamps(step.origin, step.selection) for step in copies if isinstance(step.origin, ContextOrigin)
    )


def shown(steps: Sequence[Step], sources: WorkspaceSources) -> tuple[str, ...]:
    """Return the state of what RUN mounts show of contexts, as last digested."""
    runs = [step for step in steps if isinstance(step, RunStep)]
    mounts = [(mount, dict(step.origins)) for step in runs for mount in step.mounts if shows_files(mount)]
    parts = [(origins[mount.source], Selection((mount.path,))) for mount, origins in mounts]
    return tuple(sources.stamps(tree, part) for tree, part in parts if isinstance(tree, ContextOrigin))
