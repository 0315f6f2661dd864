"""The workspace's images as instances: loaded when first needed, found by name, by tag, or by what they build."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING

from zbuild.base.epoch import EPOCH_ARG, chosen_epoch
from zbuild.base.errors import BuildFileError
from zbuild.base.platform import host_platform
from zbuild.base.text import did_you_mean
from zbuild.graph.instance import Instance, global_args, wants_target
from zbuild.graph.names import StageNames, by_tag
from zbuild.graph.platforms import own_platforms, wanted_platform, with_stage_facts
from zbuild.graph.settings import image_settings
from zbuild.graph.types import OutputOptions, Settings
from zbuild.model.definition import NestedBuild
from zbuild.syntax.words import WordError

if TYPE_CHECKING:
    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.epoch import Reproducible
    from zbuild.base.platform import Platform
    from zbuild.base.span import Span
    from zbuild.graph.build import GraphOptions, Loader
    from zbuild.model.contexts import NamedContext, NamedContexts
    from zbuild.model.definition import Definition
    from zbuild.model.ops import Pairs
    from zbuild.model.project import ImageSpec, Project

_MOST_NESTED = 10_000
_MOST_SHOWN = 8  # names of a matrix's images in a hint


class Images:
    """Makes one instance for each way a build file is built, and remembers it.

    `asked` are the stages that targets name, by image; it must be set before the first instance is made.
    """

    def __init__(self, project: Project, loader: Loader, options: GraphOptions, diagnostics: Diagnostics) -> None:
        self._project = project
        self._specs = {spec.name: spec for spec in project.images}
        self._matrices = {group.name: group.members for group in project.groups if group.is_matrix}
        self._loader = loader
        self._build_args = options.build_args
        self._epoch = ((EPOCH_ARG, options.epoch),) if options.epoch else ()
        self._reproducible = True if options.reproducible else None
        self._checking = options.checking
        self.registry = project.registry
        self._shared = project.contexts
        self._contexts = options.contexts
        self._platforms = options.platforms
        self._output = options.output
        self.asked: dict[str, str] = {}
        self._diagnostics = diagnostics
        self._by_name: dict[str, dict[Platform, Instance | None]] = {}
        self._nested: dict[tuple[object, ...], Instance | None] = {}
        self._names = StageNames(self._specs)
        self._definitions: dict[str, Definition | None] = {}
        self._by_tag = by_tag(project)
        self._files: dict[str, str | None] = {}

    def instances(self, name: str) -> list[Instance]:
        """Return a workspace image's instances for all its platforms; why one cannot be had is noted."""
        platforms = self.platforms(name) if name in self._specs else (host_platform(),)
        found = (self.instance(name, platform) for platform in platforms)
        return [instance for instance in found if instance is not None]

    def instance(self, name: str, platform: Platform, span: Span | None = None) -> Instance | None:
        """Return a workspace image's instance for what is built for a platform.

        None, with the problem noted, when it cannot be had.
        """
        if name in self._matrices:
            self._refuse_matrix(name, span)
            return None
        if name not in self._specs:
            hint = did_you_mean(name, self._specs)
            self._diagnostics.error("unknown-image", f"there is no image named '{name}'", span, hint)
            return None
        spec = self._specs[name]
        wanted = wanted_platform(spec, self.platforms(spec.name), platform)
        if wanted is None:
            message = f"'{name}' is not built for {platform}: its platforms are {', '.join(spec.platforms)}"
            self._diagnostics.error("bad-platform", message, span)
            return None
        made = self._by_name.setdefault(name, {})
        if wanted not in made:
            made[wanted] = self._load(spec, wanted)
        return made[wanted]

    def platforms(self, name: str) -> tuple[Platform, ...]:
        """Return what a workspace image is built for when it is asked for."""
        return own_platforms(self._specs[name], self._platforms, is_target=name in self.asked)

    def loaded(self, name: str) -> tuple[Instance, ...]:
        """Return an image's instances that something has needed."""
        found = self._by_name.get(name, {}).values()
        return tuple(instance for instance in found if instance is not None)

    def _refuse_matrix(self, name: str, span: Span | None) -> None:
        members = self._matrices[name]
        shown = members if len(members) <= _MOST_SHOWN else (*members[:_MOST_SHOWN], "…")
        message = f"'{name}' is a matrix of {len(members)} images, and one is wanted here"
        self._diagnostics.error("matrix-image", message, span, f"name one of them: {', '.join(shown)}")

    def named(self, text: str) -> str | None:
        """Return the workspace image, or the matrix, of exactly that name."""
        return text if text in self._specs or text in self._matrices else None

    def tagged(self, reference: str) -> str | None:
        """Return the workspace image that bears this full reference as a tag."""
        return self._by_tag.get(reference)

    def vertex_id(self, instance: Instance, index: int) -> str:
        """Return the id of a stage's vertex."""
        return self._names.of_stage(instance, index)

    def output_index(self, name: str, instance: Instance) -> int:
        """Return the index of the stage that is an image's result: its `target`, else the last one."""
        spec = self._specs[name]
        last = len(instance.definition.stages) - 1
        if not spec.target:
            return last
        index = instance.stage_index(spec.target, last + 1)
        if index is None:
            labels = [instance.label(number) for number in range(last + 1)]
            hint = did_you_mean(spec.target, labels) or f"its stages are {', '.join(labels)}"
            message = f"'{instance.file or name}' has no stage '{spec.target}'"
            self._diagnostics.error("unknown-stage", message, spec.span, hint)
        return last if index is None else index

    def nested(self, build: NestedBuild, args: Pairs, platform: Platform) -> tuple[Instance, int] | None:
        """Return what a `build:` builds, and the index of its result; None, with the problem noted, if it can't be."""
        if build.image:
            instance = self.instance(build.image, platform, build.span)
            index = None if instance is None else self.output_index(build.image, instance)
        else:
            instance, index = self._nested_path(build, args, platform)
        if instance is None:
            return None
        if build.target:
            index = instance.stage_index(build.target, len(instance.definition.stages))
            if index is None:
                message = f"'{instance.file or instance.name}' has no stage '{build.target}'"
                self._diagnostics.error("unknown-stage", message, build.span)
        return None if index is None else (instance, index)

    def _nested_path(self, build: NestedBuild, args: Pairs, platform: Platform) -> tuple[Instance | None, int | None]:
        try:
            file = self._loader.find(build.context, build.file, build.span)
        except BuildFileError as error:
            self._diagnostics.items.extend(error.diagnostics)
            return None, None
        args = self._given(args)
        same = self._same_as(build.context, file, args, platform)
        if same is not None:
            instance = self.instance(same, platform)
            return instance, None if instance is None else self.output_index(same, instance)
        key = (build.context, file, args, platform)
        if key not in self._nested:
            self._nested[key] = self._make_nested(build, file, args, platform)
        instance = self._nested[key]
        return instance, None if instance is None else len(instance.definition.stages) - 1

    def _make_nested(self, build: NestedBuild, file: str, args: Pairs, platform: Platform) -> Instance | None:
        if len(self._nested) > _MOST_NESTED:
            self._diagnostics.error("endless-build", "nested builds do not come to an end here", build.span)
            return None
        definition = self._definition(file)
        name = self._names.of_build(build.context, file, args)
        if definition is None or not self._can_build(name, definition):
            return None
        contexts, target = self._named_contexts(), _target_stage(definition, "")
        epoch = self._epoch_of(self._project.reproducible, args, build.span)
        settings = Settings(epoch=epoch, secrets=self._project.secrets, ssh=self._project.ssh)
        made = Instance(
            name,
            build.context,
            file,
            definition,
            platform,
            args,
            settings,
            target=target,
            contexts=contexts,
            platforms=self._platforms or (host_platform(),),
        )
        return self._instance(made)

    def _same_as(self, context: str, file: str, args: Pairs, platform: Platform) -> str | None:
        """Return the workspace image that builds the very same thing, so that a path and a name meet in one node."""
        for name, spec in self._specs.items():
            same = (
                spec.context == context
                and self._given(spec.build_args) == args
                and not spec.target
                and spec.definition is None
                and not spec.contexts
            )
            if same and self._fits(spec, platform) and self._file(spec) == file:
                return name
        return None

    def _file(self, spec: ImageSpec) -> str | None:
        if spec.name not in self._files:
            try:
                self._files[spec.name] = self._loader.find(spec.context, spec.file, spec.span)
            except BuildFileError as error:
                self._diagnostics.items.extend(error.diagnostics)
                self._files[spec.name] = None
        return self._files[spec.name]

    def _fits(self, spec: ImageSpec, platform: Platform) -> bool:
        return wanted_platform(spec, self.platforms(spec.name), platform) == platform

    def _load(self, spec: ImageSpec, platform: Platform) -> Instance | None:
        file = "" if spec.definition is not None else self._file(spec)
        definition = spec.definition or (self._definition(file) if file else None)
        if definition is None or file is None or not self._can_build(spec.name, definition):
            return None
        args = self._given(spec.build_args)
        made = Instance(
            name=spec.name,
            context=spec.context,
            file=file,
            definition=definition,
            platform=platform,
            args=args,
            settings=image_settings(spec, self._epoch_of(spec.reproducible, args, spec.span), self._given_for(spec)),
            after=spec.depends_on,
            target=_target_stage(definition, self.asked.get(spec.name) or spec.target),
            contexts=self._named_contexts(spec),
            platforms=self.platforms(spec.name),
        )
        return self._share(made)

    def _given_for(self, spec: ImageSpec) -> OutputOptions:
        return self._output if spec.name in self.asked else OutputOptions()

    def _can_build(self, name: str, definition: Definition) -> bool:
        """Say whether a definition is a container's; another is an error, if there is more to do than to check it."""
        if definition.wasm is not None and not self._checking:
            message = f"'{name}' is a WebAssembly component, which zbuild cannot build yet"
            self._diagnostics.error("not-yet", message, definition.wasm.span)
        return definition.wasm is None

    def _named_contexts(self, spec: ImageSpec | None = None) -> NamedContexts:
        """Return an image's contexts: those of the command line win, then its own, then the workspace's.

        What would make an image its own context is not for that image: its build file means what is written.
        """
        own, name = (spec.contexts, spec.name) if spec else ((), "")
        items = (*self._shared, *own, *self._contexts)
        return tuple(sorted({key: value for key, value in items if not _is_of(value, name)}.items(), key=itemgetter(0)))

    def _given(self, args: Pairs) -> Pairs:
        """Return build arguments in a fixed order; those of the command line win, the environment's epoch loses."""
        return tuple(sorted({**dict(self._epoch), **dict(args), **dict(self._build_args)}.items()))

    def _epoch_of(self, said: Reproducible, args: Pairs, span: Span) -> int | None:
        try:
            return chosen_epoch(self._reproducible if said is None else said, dict(args).get(EPOCH_ARG, ""))
        except ValueError as error:
            self._diagnostics.error("bad-value", str(error), span)
            return None

    def _share(self, made: Instance) -> Instance | None:
        """Return the instance of another image that differs in nothing but its name, so that they share stages."""
        for other in (instance for name in self._by_name for instance in self.loaded(name)):
            if made.file and replace(other, name=made.name, globals=()) == made:
                return other
        return self._instance(made)

    def _instance(self, made: Instance) -> Instance | None:
        try:
            values = global_args(made.definition, dict(made.args), made.platform, made.target)
        except WordError as error:
            self._diagnostics.error("bad-word", str(error), made.definition.args[0].span)
            return None
        return with_stage_facts(replace(made, globals=values))

    def _definition(self, file: str) -> Definition | None:
        if file not in self._definitions:
            try:
                self._definitions[file] = self._loader.load(file)
            except BuildFileError as error:
                self._diagnostics.items.extend(error.diagnostics)
                self._definitions[file] = None
        return self._definitions[file]


def _target_stage(definition: Definition, asked: str) -> str:
    """Return the value of TARGETSTAGE: the stage asked for, or the last one's name; "" where nothing asks for it."""
    return (asked or definition.stages[-1].name or "default") if wants_target(definition) else ""


def _is_of(context: NamedContext, image: str) -> bool:
    return isinstance(context, NestedBuild) and context.image == image
