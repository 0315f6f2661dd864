"""What the names in one stage mean: its base, its platform, and what it copies from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import BuildFileError
from zbuild.base.platform import host_platform, parse_platform
from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import normalise
from zbuild.graph.types import FromFolder, FromReference, FromScratch, FromVertex
from zbuild.graph.unbuildable import unbuildable
from zbuild.model.contexts import FolderContext, ReferenceContext
from zbuild.model.definition import NamedBase, NestedBuild
from zbuild.model.mounts import mount_source
from zbuild.model.ops import Copy, Onbuild, Run
from zbuild.model.remote import GitOrigin
from zbuild.syntax.words import WordError, expand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.platform import Platform
    from zbuild.base.span import Span
    from zbuild.graph.images import Images
    from zbuild.graph.instance import Instance
    from zbuild.graph.types import VertexBase, VertexSource
    from zbuild.model.contexts import NamedContext
    from zbuild.model.definition import Stage
    from zbuild.model.ops import Op, Pairs


@dataclass(frozen=True, slots=True)
class ResolvedStage:
    """`stage` begins with what ONBUILD of a base built here stored; upon a folder, with a COPY of it.

    `needs` are the stages this one reads: instance, index, and whether it is that build's result.
    """

    stage: Stage
    base: VertexBase
    platform: Platform
    sources: tuple[tuple[str, VertexSource], ...]
    needs: tuple[tuple[Instance, int, bool], ...]


class Resolver:
    """Resolves the names of stages. Problems are noted, and a harmless value stands in: all are told at once."""

    def __init__(self, images: Images, diagnostics: Diagnostics) -> None:
        self._images = images
        self._diagnostics = diagnostics
        self._needs: list[tuple[Instance, int, bool]] = []
        self._wanted = host_platform()

    def stage(self, instance: Instance, index: int) -> ResolvedStage:
        """Resolve one stage of an instance."""
        self._needs = []
        stage = _replaced(instance, instance.definition.stages[index])
        self._wanted = self._platform(instance, instance.definition.stages[instance.roots[index]])
        base = self._base(instance, index, stage)
        if isinstance(base, FolderContext | GitOrigin):
            assert isinstance(stage.base, NamedBase)  # noqa: S101 - nothing else has a context's name
            copy = Copy((".",), "/", source=stage.base.text, span=stage.span)
            base, stage = FromScratch(), replace(stage, ops=(copy, *stage.ops))
        self._diagnostics.items += unbuildable(stage.ops)
        stage = self._with_triggers(stage, base)
        names = dict(source_names(stage.ops))
        sources = tuple((text, self._source(instance, index, text, span)) for text, span in names.items())
        return ResolvedStage(stage, base, self._wanted, sources, tuple(self._needs))

    def _with_triggers(self, stage: Stage, base: VertexBase) -> Stage:
        """Put what the base's ONBUILD instructions stored before the stage's own instructions."""
        if not isinstance(base, FromVertex):
            return stage
        found, index, _ = self._needs[-1]
        triggers = [op.trigger for op in found.definition.stages[index].ops if isinstance(op, Onbuild)]
        try:
            return with_triggers(stage, triggers)
        except BuildFileError as error:
            self._diagnostics.items.extend(error.diagnostics)
            return stage

    def _platform(self, instance: Instance, stage: Stage) -> Platform:
        text = self._expand(stage.platform, instance, stage.span)
        if not text:
            if stage.platform:
                hint = "give the build argument it needs, or a default"
                self._diagnostics.error("bad-platform", f"the platform '{stage.platform}' is empty", stage.span, hint)
            return instance.platform
        try:
            return parse_platform(text)
        except ValueError as error:
            self._diagnostics.error("bad-platform", str(error), stage.span)
            return instance.platform

    def _base(self, instance: Instance, index: int, stage: Stage) -> VertexBase | FolderContext | GitOrigin:
        base = stage.base
        match base:
            case NestedBuild():
                args = self._args(base, instance)
                return self._needed(self._images.nested(base, args, self._wanted), output=True)
            case NamedBase():
                return self._named_base(instance, index, base)

    def _named_base(self, instance: Instance, index: int, base: NamedBase) -> VertexBase | FolderContext | GitOrigin:
        """Return what a base's name means: a named context, an earlier stage, or an image."""
        text = self._expand(base.text, instance, base.span)
        context = instance.named_context(text)
        match context:
            case FolderContext() | GitOrigin():
                return context
            case NestedBuild():
                return self._needed(self._images.nested(context, (), self._wanted), output=True)
            case ReferenceContext(reference):
                text = reference
        if text == "scratch":
            return FromScratch()
        if not text:
            hint = "give the build argument it needs, or a default" if "$" in base.text else ""
            self._diagnostics.error("empty-base", f"the base '{base.text}' is empty", base.span, hint)
            return FromScratch()
        stage = None if context or text.isdecimal() else instance.stage_index(text, index)
        if stage is not None:
            return self._needed((instance, stage), output=False)
        return self._reference(instance, text, base.span) or FromScratch()

    def _source(self, instance: Instance, index: int, text: str, span: Span) -> VertexSource:
        """Return what COPY --from or a bind mount names: a named context, an earlier stage, or an image."""
        name = self._expand(text, instance, span)
        context = None if name.isdecimal() else instance.named_context(name)
        if context is not None:
            return self._context(instance, name, context, span)
        stage = instance.stage_index(name, len(instance.definition.stages))
        if stage is not None and stage < index:
            self._needs.append((instance, stage, False))
            return FromVertex(self._images.vertex_id(instance, stage))
        if stage is not None or name.isdecimal():
            message = f"stage '{name}' does not come before this one"
            self._diagnostics.error("unknown-stage", message, span, hint="copy from an earlier stage")
            return FromReference(name)
        return self._image(instance, name, span) or self._reference(instance, name, span) or FromReference(name)

    def _context(self, instance: Instance, name: str, context: NamedContext, span: Span) -> VertexSource:
        match context:
            case FolderContext(path):
                return FromFolder(path)
            case GitOrigin():
                return context
            case NestedBuild():
                found = self._needed(self._images.nested(context, (), self._wanted), output=True)
                return found if isinstance(found, FromVertex) else FromReference(name)
            case ReferenceContext("scratch"):
                self._diagnostics.error("bad-context", f"the context '{name}' is scratch, which has no files", span)
                return FromReference(name)
            case ReferenceContext(reference):
                return self._reference(instance, reference, span) or FromReference(name)
            case _:
                assert_never(context)

    def _image(self, instance: Instance, name: str, span: Span) -> FromVertex | None:
        """Return the workspace image of that name; a build file's own image is meant as the registry's."""
        image = self._images.named(name)
        if image is None or image == instance.name:
            return None
        return self._output_of(image, span)

    def _reference(self, instance: Instance, text: str, span: Span) -> FromReference | FromVertex | None:
        try:
            reference = str(normalise(text, self._images.registry))
            image = self._images.tagged(str(normalise(text))) or self._images.tagged(reference)
        except BadReferenceError as error:
            self._diagnostics.error("bad-reference", str(error), span)
            return None
        if image is not None and image != instance.name:
            return self._output_of(image, span) or FromReference(reference)
        return FromReference(reference)

    def _output_of(self, image: str, span: Span) -> FromVertex | None:
        found = self._images.instance(image, self._wanted, span)
        if found is None:
            return None
        index = self._images.output_index(image, found)
        self._needs.append((found, index, True))
        return FromVertex(self._images.vertex_id(found, index))

    def _needed(self, found: tuple[Instance, int] | None, *, output: bool) -> VertexBase:
        if found is None:
            return FromScratch()
        self._needs.append((*found, output))
        return FromVertex(self._images.vertex_id(*found))

    def _args(self, build: NestedBuild, instance: Instance) -> Pairs:
        return tuple(sorted((name, self._expand(value, instance, build.span)) for name, value in build.args))

    def _expand(self, word: str, instance: Instance, span: Span) -> str:
        try:
            return expand(word, instance.words(), escape=instance.definition.escape)
        except WordError as error:
            self._diagnostics.error("bad-word", f"{error} in '{word}'", span)
            return word


def _replaced(instance: Instance, stage: Stage) -> Stage:
    """Return a stage as it is built: one that has the name of a context is that context, and nothing else."""
    if not stage.name or instance.named_context(stage.name) is None:
        return stage
    return replace(stage, base=NamedBase(stage.name, stage.span), ops=())


def with_triggers(stage: Stage, triggers: Sequence[str]) -> Stage:
    """Return a stage that begins with the instructions that ONBUILD of its base stored. Raises BuildFileError."""
    if not triggers:
        return stage
    from zbuild.frontend.dockerfile.triggers import parse_trigger  # noqa: PLC0415 - few bases have any

    ops = [op for trigger in triggers for op in parse_trigger(trigger, stage.span)]
    if refused := list(unbuildable(ops)):
        raise BuildFileError([replace(item, message=f"ONBUILD of the base: {item.message}") for item in refused])
    return replace(stage, ops=(*ops, *stage.ops))


def source_names(ops: Sequence[Op]) -> Iterator[tuple[str, Span]]:
    """Yield every name that instructions read files from, where it stands first."""
    for op in reversed(ops):
        if isinstance(op, Copy) and op.source:
            yield op.source, op.span
        elif isinstance(op, Run):
            yield from ((name, op.span) for name in map(mount_source, op.mounts) if name)
