"""Provenance and SBOMs of built images: made, written to a folder, attached to what a registry holds."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild import __version__
from zbuild.api.facts import Built, build_facts
from zbuild.api.registries import open_registry
from zbuild.attest.provenance import PREDICATE_TYPE, STATEMENT_MEDIA_TYPE, statement
from zbuild.backend.faults import system_error
from zbuild.base.errors import UsageError
from zbuild.base.files import write_whole
from zbuild.base.reference import parse_reference
from zbuild.events.types import Notice
from zbuild.execution.signals import Interruption
from zbuild.oci.platforms import choose
from zbuild.oci.referrers import Attachment
from zbuild.state.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from zbuild.api.graphs import LoadedGraph
    from zbuild.api.options import BuildOptions, Document, PushedTag
    from zbuild.api.session import Session
    from zbuild.attest.package import Package
    from zbuild.base.reference import Reference
    from zbuild.events.bus import Emit
    from zbuild.graph.types import Graph, Vertex
    from zbuild.oci.media import Descriptor
    from zbuild.oci.registry import Registry

    _Key: TypeAlias = tuple[str, str, Document]  # an image, a stage of it, and what is told of that


def check_choice(options: BuildOptions, *, pushes: bool) -> None:
    """Raise UsageError for documents that would go nowhere, and for a folder that none go to."""
    kinds = options.documents
    if kinds and not (pushes or options.attestations):
        hint = "add --push, to attach it to what is pushed, or --attestations FOLDER"
        raise UsageError("attest-nowhere", f"--{kinds[0]} has nowhere to go", hint=hint)
    if options.attestations and not kinds:
        raise UsageError(
            "attest-nothing", "--attestations names a folder, and nothing goes there", hint="add --provenance or --sbom"
        )


def attest(built: Built, session: Session, options: BuildOptions, pushed: Sequence[PushedTag], emit: Emit) -> None:
    """Make the documents that are asked for; attach them to the pushed tags, and write them to the folder.

    Written is what was attached, of an image in several repositories to the first; of one that was not pushed, it is
    documents about the image in the store.

    Raises RegistryError, BackendError, InterruptedBuildError; UsageError for files that are not as they were built.
    """
    maker = _Maker(built, session)
    kinds = options.documents
    try:
        attached = _attach_all(maker, kinds, built.loaded.graph, pushed, emit) if pushed else {}
        if options.attestations:
            _write_all(maker, kinds, built.loaded.graph, attached, Path(session.root, options.attestations))
    except OSError as error:
        raise system_error(error, f"cannot make {' and '.join(kinds)}") from error


def present(loaded: LoadedGraph, session: Session) -> Built:
    """Return what is known of stages that are up to date, without having been built in this run."""
    decisions = session.decide(loaded.graph)
    described = {name: decision.described for name, decision in decisions.items()}
    return Built(loaded, described, {n: d.record for n, d in decisions.items() if isinstance(d.record, Record)})


def _targets(graph: Graph) -> Iterator[tuple[str, list[Vertex]]]:
    """Yield the targets' images, each with the stages that make it, one for each platform."""
    by_id = graph.by_id()
    for node in graph.images:
        if node.name in graph.targets:
            yield node.name, [by_id[name] for name in node.vertices]


class _Maker:
    """Makes documents; what an image holds is read once."""

    def __init__(self, built: Built, session: Session) -> None:
        self._built = built
        self._session = session
        self._packages: dict[str, tuple[Package, ...]] = {}

    def make(self, kind: Document, image: str, vertex: Vertex, name: str, digest: str) -> str:
        """Return a document about an image, which is called `name` and has that digest where it is told of."""
        record = self._built.records[vertex.id]
        if kind == "provenance":
            facts = build_facts(image, vertex, self._built, self._session)
            return json.dumps(statement([(name, digest)], facts), indent=2) + "\n"
        from zbuild.attest.sbom import sbom  # noqa: PLC0415 - it takes 100 ms

        return sbom(name, digest, self._installed(record.image_id), created=record.created, version=__version__)

    def local_digest(self, vertex: Vertex) -> str:
        """Return the digest of a stage's result in the store."""
        return self._built.records[vertex.id].digest

    def _installed(self, image_id: str) -> tuple[Package, ...]:
        from zbuild.attest.packages import installed  # noqa: PLC0415 - few builds ask

        if image_id not in self._packages:
            self._packages[image_id] = installed(self._session.backend.root(image_id))
        return self._packages[image_id]


def _write_all(
    maker: _Maker, kinds: Sequence[Document], graph: Graph, attached: Mapping[_Key, str], folder: Path
) -> None:
    """Write the documents of all targets to a folder, one file for each: those attached, others made here."""
    folder.mkdir(parents=True, exist_ok=True)
    for image, vertices in _targets(graph):
        for vertex in vertices:
            shown = image if len(vertices) == 1 else f"{image}@{vertex.platform}"
            for kind in kinds:
                text = attached.get((image, vertex.id, kind))
                text = text or maker.make(kind, image, vertex, image, maker.local_digest(vertex))
                write_whole(folder / f"{shown.replace('/', '_')}.{kind}.json", text.encode(), 0o666)


def _attach_all(
    maker: _Maker, kinds: Sequence[Document], graph: Graph, pushed: Sequence[PushedTag], emit: Emit
) -> dict[_Key, str]:
    """Attach to each image that was pushed, once in each repository; return what went to the first of them."""
    attached: dict[_Key, str] = {}
    vertices = dict(_targets(graph))
    with ExitStack() as stack:
        registry = stack.enter_context(open_registry())
        stack.enter_context(Interruption(lambda: None, registry.close))
        places = {(replace(parse_reference(tag.reference), tag=""), tag.digest): tag for tag in pushed}
        for (repository, digest), tag in places.items():
            for vertex, subject in _subjects(registry, replace(repository, digest=digest), vertices[tag.image]):
                for kind in kinds:
                    text = maker.make(kind, tag.image, vertex, repository.name, subject.digest)
                    registry.attach(subject, repository, _attachment(kind, text))
                    attached.setdefault((tag.image, vertex.id, kind), text)
            emit(Notice(f"attached {' and '.join(kinds)} to {repository.name}@{digest}"))
    return attached


def _subjects(
    registry: Registry, reference: Reference, vertices: Sequence[Vertex]
) -> Iterator[tuple[Vertex, Descriptor]]:
    """Yield the stages that make an image, each with what names its result, as the registry has it."""
    manifest = registry.manifest(reference)
    for vertex in vertices:
        named = choose(manifest.entries(), vertex.platform) if manifest.is_index else manifest.descriptor()
        if named is not None:
            yield vertex, named


def _attachment(kind: Document, text: str) -> Attachment:
    if kind == "provenance":
        annotations = (("in-toto.io/predicate-type", PREDICATE_TYPE),)
        return Attachment(text.encode(), STATEMENT_MEDIA_TYPE, STATEMENT_MEDIA_TYPE, annotations)
    from zbuild.attest.sbom import SBOM_MEDIA_TYPE  # noqa: PLC0415 - as above

    return Attachment(text.encode(), SBOM_MEDIA_TYPE, SBOM_MEDIA_TYPE)
