"""For which platforms images are built, and which of their stages are the same for all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.platform import host_platform, parse_platform
from zbuild.model.definition import NamedBase, NestedBuild
from zbuild.model.mounts import mount_source
from zbuild.model.ops import Arg, Copy, Run
from zbuild.syntax.words import WordError, expand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from zbuild.base.platform import Platform
    from zbuild.graph.instance import Instance
    from zbuild.model.definition import Stage
    from zbuild.model.ops import Op
    from zbuild.model.project import ImageSpec

_OF_TARGET = ("TARGETPLATFORM", "TARGETOS", "TARGETOSVERSION", "TARGETARCH", "TARGETVARIANT")


def own_platforms(spec: ImageSpec, given: tuple[Platform, ...], *, is_target: bool) -> tuple[Platform, ...]:
    """Return what an image is built for when it is asked for; `given` are the platforms of the command line.

    These go before those of the build file where the image is a target; one that is merely built upon keeps its own.
    """
    if given and (is_target or not spec.platforms):
        return _with_system(spec, given)
    return listed_platforms(spec) or _with_system(spec, (host_platform(),))


def listed_platforms(spec: ImageSpec) -> tuple[Platform, ...]:
    """Return the platforms that the build file says, without repeats."""
    return _with_system(spec, map(parse_platform, spec.platforms))


def _with_system(spec: ImageSpec, platforms: Iterable[Platform]) -> tuple[Platform, ...]:
    return tuple(dict.fromkeys(replace(item, os=spec.os) if spec.os else item for item in platforms))


def wanted_platform(spec: ImageSpec, own: tuple[Platform, ...], wanted: Platform) -> Platform | None:
    """Return for which platform an image is built that something for the platform `wanted` is built upon.

    That is `wanted`, unless the image's build file names one other. None when it names several others.
    """
    (wanted,) = _with_system(spec, (wanted,))
    listed = listed_platforms(spec)
    if not listed or wanted in (*listed, *own):
        return wanted
    return listed[0] if len(listed) == 1 else None


def stage_suffix(instance: Instance, index: int) -> str:
    """Return what tells a stage's name from that of the same stage for another platform; "" where there is none."""
    several = len(instance.platforms) > 1
    if not several and instance.platforms == (instance.platform,):
        return ""
    if not instance.fixed[index]:
        return f"@{instance.platform}"
    root = instance.definition.stages[instance.roots[index]]
    return f"@{_expand(root.platform, instance.words(), instance.definition.escape)}" if several else ""


def with_stage_facts(instance: Instance) -> Instance:
    """Return an instance that knows its `roots` and `fixed` stages.

    A stage is fixed when it names its platform, or starts from one that does, and sees nothing that depends on the
    target's.
    """
    names = _depending(instance)
    words = instance.words()
    roots: list[int] = []
    fixed: list[bool] = []
    for index, stage in enumerate(instance.definition.stages):

        def earlier(text: str, index: int = index) -> int | None:
            name = _expand(text, words, instance.definition.escape)
            return None if instance.named_context(name) else instance.stage_index(name, index)

        base = _base_stage(instance, stage, earlier)
        roots.append(index if base is None else roots[base])
        pinned = bool(stage.platform) if base is None else fixed[base]
        sees = any(name in word for word in _words(stage) for name in names)
        sources = [source for source in map(earlier, _sources(stage.ops)) if source is not None]
        fixed.append(pinned and not sees and all(fixed[source] for source in sources))
    return replace(instance, roots=tuple(roots), fixed=tuple(fixed))


def _base_stage(instance: Instance, stage: Stage, earlier: Callable[[str], int | None]) -> int | None:
    """Return the index of the earlier stage that a stage starts from."""
    if not isinstance(stage.base, NamedBase) or (stage.name and instance.named_context(stage.name)):
        return None
    return None if stage.base.text.isdecimal() else earlier(stage.base.text)


def _depending(instance: Instance) -> list[str]:
    """Return the names of arguments that may differ from platform to platform."""
    names = list(_OF_TARGET)
    for arg in instance.definition.args:
        if arg.default and any(name in arg.default for name in names):
            names.append(arg.name)
    return names


def _words(stage: Stage) -> Iterator[str]:
    """Yield what of a stage may name arguments: what FROM and sources are made of, and the arguments declared."""
    yield stage.platform
    match stage.base:
        case NamedBase(text):
            yield text
        case NestedBuild():
            yield from (value for _, value in stage.base.args)
    yield from (op.name for op in stage.ops if isinstance(op, Arg))
    yield from _sources(stage.ops)


def _sources(ops: Iterable[Op]) -> Iterator[str]:
    for op in ops:
        if isinstance(op, Copy) and op.source:
            yield op.source
        elif isinstance(op, Run):
            yield from filter(None, map(mount_source, op.mounts))


def _expand(word: str, words: Mapping[str, str], escape: str) -> str:
    try:
        return expand(word, words, escape=escape)
    except WordError:
        return word  # told where the stage is resolved
