"""Stages: their bases, platforms, and their instructions in the format's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.platform import parse_platform
from zbuild.frontend.paths import workspace_path
from zbuild.frontend.values import word, word_pairs
from zbuild.frontend.zimagefile.metadata import arg_ops, settings_after_steps, settings_before_steps
from zbuild.frontend.zimagefile.steps import lower_steps
from zbuild.model.definition import NamedBase, NestedBuild, Stage
from zbuild.model.ops import Arg
from zbuild.syntax.nodes import Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.base.span import Span
    from zbuild.frontend.zimagefile.scope import Scope
    from zbuild.model.definition import Base
    from zbuild.model.ops import Op

_SYSTEMS = frozenset({"linux", "windows"})


def lower_only_stage(top: Mapping, scope: Scope) -> Stage:
    """Return the stage that a file with `base` or `build` at its top is."""
    ops = (*_declared(top.mapping("args"), Mapping()), *_ops(top, scope))
    return Stage("", _base(top, scope), ops, _platform(top, Mapping(), scope), _base_span(top))


def lower_named_stage(name: Scalar, stage: Mapping, top: Mapping, scope: Scope, *, last: bool) -> Stage:
    """Return one of a file's `stages`. The file's arguments hold in each of them, its metadata in the last."""
    own_args = stage.mapping("args")
    ops = [*_declared(top.mapping("args"), own_args), *arg_ops(own_args), *_ops(stage, scope)]
    if last:
        ops += [*settings_before_steps(top), *settings_after_steps(top, scope.diagnostics)]
    lowered = Stage(name.text, _base(stage, scope), tuple(ops), _platform(stage, top, scope), name.span)
    scope.finish_stage(stage.text("base"), _workdirs(stage))
    return lowered


def _declared(top_args: Mapping, own_args: Mapping) -> Iterator[Arg]:
    """Declare the file's arguments in a stage, which would not see them otherwise."""
    own = {key.text for key, _ in own_args.items}
    for key, _ in top_args.pairs():
        if key.text not in own:
            yield Arg(key.text, None, key.span)


def _ops(node: Mapping, scope: Scope) -> Iterator[Op]:
    yield from settings_before_steps(node)
    yield from lower_steps(node.mappings("steps"), scope)
    yield from settings_after_steps(node, scope.diagnostics)


def _workdirs(stage: Mapping) -> Iterator[str]:
    for node in (stage, *stage.mappings("steps")):
        if "workdir" in node:
            yield node.text("workdir")


def _base_span(node: Mapping) -> Span:
    return node.place("base" if "base" in node else "build")


def _base(node: Mapping, scope: Scope) -> Base:
    value = node.scalar("base")
    if value is None:
        return _build(node, scope)
    index = scope.stage_index(value.text) if not value.text.isdecimal() else None
    if index is not None and index > len(scope.workdirs):
        message = f"stage '{value.text}' does not come before this one"
        scope.diagnostics.error("stage-order", message, value.span, "move it up, above the stages that start from it")
    return NamedBase(word(value.text), value.span)


def _build(node: Mapping, scope: Scope) -> NestedBuild:
    value = node.get("build")
    if isinstance(value, Scalar):
        return NestedBuild(context=_folder(value, scope), span=value.span)
    build = node.mapping("build")
    span = node.place("build")
    _check_build(build, scope)
    if "image" in build:
        return NestedBuild(image=build.text("image"), target=build.text("target"), span=span)
    folder = build.scalar("workdir") or build.scalar("context")
    context = scope.folder if folder is None else _folder(folder, scope)
    file = build.scalar("file")
    return NestedBuild(
        context=context,
        file="" if file is None else workspace_path(context, file.text, file.span, scope.diagnostics),
        args=word_pairs(build.mapping("args")),
        target=build.text("target"),
        span=span,
    )


def _folder(path: Scalar, scope: Scope) -> str:
    return workspace_path(scope.folder, path.text, path.span, scope.diagnostics)


def _check_build(build: Mapping, scope: Scope) -> None:
    """Note keys of a `build` that say the same twice, or that an image of the workspace decides itself."""
    if "workdir" in build and "context" in build:
        message = "'workdir' and 'context' mean the same"
        scope.diagnostics.error("conflicting-keys", message, build.place("context"), "keep one of them")
    for name in ("workdir", "context", "file", "args"):
        if "image" in build and name in build:
            message = f"'image' and '{name}' exclude each other: the workspace says how its images are built"
            scope.diagnostics.error("conflicting-keys", message, build.place(name))


def _platform(node: Mapping, top: Mapping, scope: Scope) -> str:
    """Return the platform as a word: the stage's own, else the file's; `os` wins over the platform's."""
    holder = node if "platform" in node else top
    system = node.text("os") or (top.text("os") if "platform" not in node else "")
    value = holder.scalar("platform")
    if value is None:
        return system
    if "$" not in value.text:
        try:
            parse_platform(value.text)
        except ValueError as error:
            scope.diagnostics.error("bad-platform", str(error), value.span)
    return word(_with_system(value.text, system))


def _with_system(platform: str, system: str) -> str:
    first, slash, rest = platform.partition("/")
    if not system:
        return platform
    if slash:
        return f"{system}/{rest}"
    return system if first.lower() in _SYSTEMS else f"{system}/{first}"
