"""One build file built in one way: the unit that equal builds are merged into."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.platform import host_platform
from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import short_name
from zbuild.graph.types import Settings
from zbuild.model.ops import Arg
from zbuild.syntax.words import expand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.base.platform import Platform
    from zbuild.model.contexts import NamedContext, NamedContexts
    from zbuild.model.definition import Definition
    from zbuild.model.ops import Pairs

TARGET_STAGE = "TARGETSTAGE"


@dataclass(frozen=True, slots=True)
class Instance:
    """A definition with the arguments, platform and settings it is built with; `name` is what people call it.

    `target` is the stage that was asked for, where the definition wants to know it (TARGETSTAGE); else "". `platforms`
    are all for which the image is built when it is asked for. Of each stage, `roots` has the index of the earlier one
    that it starts from in the end, or its own; `fixed` says whether it is the same for every platform of the image.
    """

    name: str
    context: str
    file: str
    definition: Definition = field(compare=False)
    platform: Platform = field(default_factory=host_platform)
    args: Pairs = ()
    settings: Settings = field(default_factory=Settings)
    globals: Pairs = ()
    after: tuple[str, ...] = ()
    target: str = ""
    contexts: NamedContexts = ()
    platforms: tuple[Platform, ...] = ()
    roots: tuple[int, ...] = field(default=(), compare=False)
    fixed: tuple[bool, ...] = field(default=(), compare=False)

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
        return {**automatic_args(self.platform, dict(self.args)), **dict(self.globals)}

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


def automatic_args(target: Platform, given: Mapping[str, str]) -> dict[str, str]:
    """Return the platform arguments every build file may use (BuildKit's); a build argument of the name wins."""
    values = {}
    for prefix, platform in (("TARGET", target), ("BUILD", host_platform())):
        values[f"{prefix}PLATFORM"] = str(platform)
        values[f"{prefix}OS"] = platform.os
        values[f"{prefix}OSVERSION"] = ""
        values[f"{prefix}ARCH"] = platform.architecture
        values[f"{prefix}VARIANT"] = platform.variant
    return {name: given.get(name, value) for name, value in values.items()}


def global_args(definition: Definition, given: Mapping[str, str], platform: Platform, target: str = "") -> Pairs:
    """Return the build file's global ARGs with their values: given, else the default; without either they are unset.

    `target` is the value of TARGETSTAGE, "" for a build file that does not ask for it. Raises WordError for a default
    that cannot be expanded.
    """
    values = {TARGET_STAGE: given.get(TARGET_STAGE, target)} if target else {}
    scope = automatic_args(platform, given)
    for arg in definition.args:
        if arg.name in given:
            values[arg.name] = given[arg.name]
        elif arg.default is not None:
            values[arg.name] = expand(arg.default, {**scope, **values}, escape=definition.escape)
    return tuple(values.items())


def wants_target(definition: Definition) -> bool:
    """Tell whether a definition uses TARGETSTAGE; only then may its stages differ by the stage asked for."""
    words = [word for stage in definition.stages for word in (getattr(stage.base, "text", ""), stage.platform)]
    words += [word for arg in definition.args for word in (arg.name, arg.default or "")]
    words += [op.name for stage in definition.stages for op in stage.ops if isinstance(op, Arg)]
    return any(TARGET_STAGE in word for word in words)
