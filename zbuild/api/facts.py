"""What provenance tells of a build: gathered from the plan and the records, names and digests alone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from zbuild import __version__
from zbuild.attest.provenance import BUILDER, BuildFacts, Material
from zbuild.base.dataclass import dataclass
from zbuild.base.digest import sha256
from zbuild.base.errors import UsageError
from zbuild.base.reference import normalise
from zbuild.frontend.buildfile.find import kind_of_file
from zbuild.graph.types import FromReference
from zbuild.model.mounts import SecretMount, shows_files
from zbuild.model.remote import GitOrigin, UrlOrigin
from zbuild.model.steps import ContextOrigin, CopyStep, ImageOrigin, RunStep, Selection
from zbuild.plan.sources import SelectionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zbuild.api.graphs import LoadedGraph
    from zbuild.api.session import Session
    from zbuild.graph.types import Vertex
    from zbuild.model.steps import Origin
    from zbuild.plan.describe import Described
    from zbuild.state.record import Record


@dataclass(frozen=True, slots=True)
class Built:
    """What is known of a run's stages: how they were read, their material, and what they came to."""

    loaded: LoadedGraph
    described: Mapping[str, Described]
    records: Mapping[str, Record]


def build_facts(image: str, vertex: Vertex, built: Built, session: Session) -> BuildFacts:
    """Return what is told of how the image that a stage makes came about."""
    graph = built.loaded.graph
    wanted = graph.closure([vertex.id])
    stages = [built.described[one.id] for one in graph.vertices if one.id in wanted]
    done = {name: built.records[name] for stage in stages if (name := stage.vertex.id) in built.records}
    own = done[vertex.id]
    files = tuple(_build_files(built.loaded, stages, session.root))
    return BuildFacts(
        image=image,
        platform=str(vertex.platform),
        file=vertex.file or files[0],
        stages=tuple((name, record.key) for name, record in done.items()),
        arguments=_sorted(name for stage in stages for name, _ in stage.vertex.args),
        secrets=_sorted(mount.id for stage in stages for mount in _secrets(stage)),
        materials=tuple(dict.fromkeys((*_file_materials(files, session.root), *_materials(stages, session)))),
        backend=session.backend.name,
        started=min(record.created - record.seconds for record in done.values()),
        finished=own.created,
        run=own.run_id,
        version=__version__,
        builder=os.environ.get("ZBUILD_BUILDER_ID") or BUILDER,
    )


def _sorted(names: Iterator[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _secrets(stage: Described) -> Iterator[SecretMount]:
    for step in stage.evaluation.steps:
        if isinstance(step, RunStep):
            yield from (mount for mount in step.mounts if isinstance(mount, SecretMount))


def _build_files(loaded: LoadedGraph, stages: Sequence[Described], root: Path) -> Iterator[str]:
    """Yield the build files that were read for some stages, relative to the workspace: its own, and the images'."""
    own = {stage.vertex.file for stage in stages}
    for row in loaded.rows:
        path = os.path.relpath(row[0], root)
        if Path(row[0]).is_file() and (path in own or kind_of_file(Path(path).name) != "image"):
            yield path


def _file_materials(files: Sequence[str], root: Path) -> Iterator[Material]:
    return (Material(f"file:{quote(file)}", "sha256", _file_digest(root / file), "build file") for file in files)


def _materials(stages: Sequence[Described], session: Session) -> Iterator[Material]:
    """Yield the images, contexts, URLs and commits that were used."""
    taken: dict[ContextOrigin, list[Selection]] = {}
    for stage in stages:
        if stage.base is not None and isinstance(stage.vertex.base, FromReference):
            yield _image(stage.vertex.base.reference, stage.base.digest, str(stage.vertex.platform))
        for origin, selection in _taken(stage):
            match origin:
                case ContextOrigin():
                    taken.setdefault(origin, []).append(selection)
                case ImageOrigin():
                    yield _image(origin.reference, origin.digest, str(stage.vertex.platform))
                case UrlOrigin():
                    yield _url(origin, session)
                case GitOrigin():
                    commit = session.sources.remote(origin, stage.vertex.settings.pull)
                    yield Material(f"git+{origin.remote}", "gitCommit", commit)
    for origin, selections in taken.items():
        where = quote(os.path.relpath(origin.path, session.root))
        yield Material(f"file:{where}", "sha256", _context_digest(origin, selections, session), "context")


def _taken(stage: Described) -> Iterator[tuple[Origin, Selection]]:
    """Yield what a stage's steps read, and from where."""
    for step in stage.evaluation.steps:
        if isinstance(step, CopyStep) and step.selection.sources:
            yield step.origin, step.selection
        elif isinstance(step, RunStep):
            origins = dict(step.origins)
            shown = (mount for mount in step.mounts if shows_files(mount))
            yield from ((origins[mount.source], Selection((mount.path,))) for mount in shown)


def _image(reference: str, digest: str, platform: str) -> Material:
    """Return a base as a package URL of type docker, as BuildKit tells it."""
    full = normalise(reference).familiar()
    at = f"@{quote(full.tag, safe='')}" if full.tag else ""
    algorithm, _, value = digest.partition(":")
    return Material(f"pkg:docker/{full.name}{at}?platform={quote(platform, safe='')}", algorithm, value, "base")


def _url(origin: UrlOrigin, session: Session) -> Material:
    """Return a file of another machine; what is asked for behind its path may be a secret, and is left out."""
    algorithm, _, value = session.sources.remote(origin, "").partition(":")
    return Material(urlsplit(origin.url)._replace(query="", fragment="").geturl(), algorithm, value)


def _context_digest(origin: ContextOrigin, selections: Sequence[Selection], session: Session) -> str:
    """Return the sha256 of what is taken from a context: of the digests of all selections, sorted.

    Raises UsageError when files are no longer as they were built.
    """
    try:
        digests = {session.sources.shared_digest(origin, selection) for selection in selections}
    except SelectionError:
        digests = {""}
    if "" in digests:
        where = os.path.relpath(origin.path, session.root)
        raise UsageError("files-changed", f"files of {where} changed after they were built", hint="build again")
    return sha256(tuple(sorted(digests)))


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
