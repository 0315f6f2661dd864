"""One build file built in one way: the unit that equal builds are merged into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zbuild.base.platform import host_platform
from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import short_name
from zbuild.graph.types import Settings
from zbuild.syntax.words import expand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.base.platform import Platform
    from zbuild.model.contexts import NamedContext, NamedContexts
    from zbuild.model.definition import Definition
    from zbuild.model.ops import Pairs


@dataclass(frozen=True, slots=True)
class Instance:
    """A definition with the arguments, platform and settings it is built with; `name` is what people call it."""

    name: str
    context: str
    file: str
    definition: Definition = field(compare=False)
    platform: Platform = field(default_factory=host_platform)
    args: Pairs = ()
    settings: Settings = field(default_factory=Settings)
    globals: Pairs = ()
    after: tuple[str, ...] = ()
    contexts: NamedContexts = ()

    def named_context(self, name: str) -> NamedContext | None:
        """Return the context that takes the place of what a build file names so (a stage, or an image)."""
        if not self.contexts or name == "scratch":
            return None
        try:
            return dict(self.contexts).get(short_name(name))
        except BadReferenceError:
            return None

    def words(self) -> dict[str, str]:
        """Return what words outside of stages may use: global ARGs, and the arguments every build has."""
        return {**platform_args(self.platform), **dict(self.globals)}

    def stage_index(self, text: str, before: int) -> int | None:
        """Return the index of the stage called `text`, by name or number, among the first `before`.

        Names are compared without case, and the last of several equal ones counts, as in BuildKit.
        """
        stages = self.definition.stages
        if text.isdecimal():
            return int(text) if int(text) < before else None
        named = [index for index in range(before) if stages[index].name.lower() == text.lower()]
        return named[-1] if named and text else None

    def label(self, index: int) -> str:
        """Return a stage's name, or its index where it has none."""
        return self.definition.stages[index].name or str(index)

    def stage_name(self, index: int) -> str:
        """Return what a stage is called in full; an unnamed last stage goes by the image's name alone."""
        stages = self.definition.stages
        if index == len(stages) - 1 and not stages[index].name:
            return self.name
        return f"{self.name}/{self.label(index)}"


def platform_args(target: Platform) -> dict[str, str]:
    """Return the platform arguments every build file may use (BuildKit's automatic platform ARGs)."""
    values = {}
    for prefix, platform in (("TARGET", target), ("BUILD", host_platform())):
        values[f"{prefix}PLATFORM"] = str(platform)
        values[f"{prefix}OS"] = platform.os
        values[f"{prefix}ARCH"] = platform.architecture
        values[f"{prefix}VARIANT"] = platform.variant
    return values


def global_args(definition: Definition, given: Mapping[str, str], platform: Platform) -> Pairs:
    """Return the build file's global ARGs with their values: given, else the default; without either they are unset.

    Raises WordError for a default that cannot be expanded.
    """
    values: dict[str, str] = {}
    scope = platform_args(platform)
    for arg in definition.args:
        if arg.name in given:
            values[arg.name] = given[arg.name]
        elif arg.default is not None:
            values[arg.name] = expand(arg.default, {**scope, **values}, escape=definition.escape)
    return tuple(values.items())
