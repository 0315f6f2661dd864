"""A definition as plain data: what `zbuild parse` prints, so that build files can be compared with other parsers.

Words are expanded as far as the build file alone decides them. In FROM that is all of it. In a stage the values of
ARG and ENV are known, those of stages it is built upon included; what the base image may have set is not, so that a
substitution of another name stays as it is written, unless the stage starts from scratch.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import asdict, field
from typing import TYPE_CHECKING, Any, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostics
from zbuild.base.platform import host_platform
from zbuild.graph.instance import Instance, automatic_args, global_args
from zbuild.graph.outline_ops import instruction
from zbuild.model.definition import NamedBase, NestedBuild
from zbuild.model.ops import Arg, Env
from zbuild.syntax.words import WordError, expand, expand_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.base.span import Span
    from zbuild.model.definition import Definition, Stage
    from zbuild.model.ops import Op
    from zbuild.model.wasm import WasmComponent

Plain: TypeAlias = dict[str, Any]


def outline(
    definition: Definition,
    given: Mapping[str, str] | None = None,
    *,
    raw: bool = False,
    problems: Diagnostics | None = None,
) -> Plain:
    """Return the definition as plain data, fit for JSON; `given` are build arguments, `raw` leaves words as written.

    A word that cannot be expanded stays as it is written too, and is a warning in `problems`: only a build needs it.
    """
    return _Outline(definition, dict(given or {}), Diagnostics() if problems is None else problems, raw=raw).make()


def _component(wasm: WasmComponent) -> Plain:
    fields = asdict(wasm)
    span = fields.pop("span")
    for name in ("pre_build", "post_build"):
        fields[name] = [command["text"] if "text" in command else command["argv"] for command in fields[name]]
    return {"start_line": span["line"], "end_line": wasm.span.last_line, **fields, "build_args": dict(wasm.build_args)}


@dataclass(slots=True)
class _Scope:
    """What a stage's words may use. `complete`: a name that is not here is not set, rather than the base image's."""

    values: dict[str, str] = field(default_factory=dict)
    complete: bool = False


class _Outline:
    def __init__(self, definition: Definition, given: Mapping[str, str], problems: Diagnostics, *, raw: bool) -> None:
        self._definition = definition
        self._given = given
        self._raw = raw
        self._problems = problems
        self._scopes: list[_Scope] = []
        self._platform = host_platform()
        self._globals: dict[str, str] = {}
        self._globals_known = True

    def make(self) -> Plain:
        definition = self._definition
        try:
            last = definition.stages[-1].name if definition.stages else ""  # a component has none
            self._globals = dict(global_args(definition, self._given, self._platform, last or "default"))
        except WordError as error:
            self._globals_known = False
            self._problems.warning("bad-word", str(error), definition.args[0].span)
        args = [_row(arg.span, {"name": arg.name, "value": self._globals.get(arg.name)}) for arg in definition.args]
        stages = [self._stage(index, stage) for index, stage in enumerate(definition.stages)]
        plain = {"file": definition.file, "escape": definition.escape, "args": args, "stages": stages}
        return plain if definition.wasm is None else {**plain, "wasm": _component(definition.wasm)}

    def _stage(self, index: int, stage: Stage) -> Plain:
        base, number = self._base(index, stage)
        platform = stage.platform if self._raw else self._from_word(stage.platform, stage.span)
        row = {"index": index, "name": stage.name, **base, "base_stage": number, "platform": platform}
        scope = _Scope(complete=base["base"] == "scratch")
        if number is not None:
            scope = _Scope(dict(self._scopes[number].values), self._scopes[number].complete)
        self._scopes.append(scope)
        return _row(stage.span, {**row, "instructions": [self._instruction(op, scope) for op in stage.ops]})

    def _base(self, index: int, stage: Stage) -> tuple[Plain, int | None]:
        match stage.base:
            case NamedBase(text, span):
                lookup = self._from_word(text, span)
                name = text if self._raw else lookup
                found = Instance("", "", "", self._definition).stage_index(lookup, index)
                return {"base": name, "build": None}, None if lookup.isdecimal() else found
            case NestedBuild() as build:
                args = [f"{name}={value}" for name, value in build.args]
                named = {"context": build.context, "file": build.file, "args": args, "target": build.target}
                return {"base": "", "build": {**named, "image": build.image}}, None

    def _instruction(self, op: Op, scope: _Scope) -> Plain:
        values = ChainMap(dict(scope.values))

        def word(text: str) -> str:
            return text if self._raw else self._expand(text, values, op.span, complete=scope.complete)

        row = _row(op.span, instruction(op, word))
        if not self._raw:
            self._remember(op, scope, word)
        return row

    def _remember(self, op: Op, scope: _Scope, word: Any) -> None:  # noqa: ANN401
        match op:
            case Arg(name, default):
                value = self._given.get(name, self._globals.get(name) if default is None else word(default))
                value = self._automatic().get(name) if value is None else value
                if value is not None:
                    scope.values[name] = value
            case Env(pairs):
                scope.values |= {word(name): word(value) for name, value in pairs}

    def _outside(self) -> dict[str, str]:
        return {**self._automatic(), **self._globals}

    def _automatic(self) -> dict[str, str]:
        return automatic_args(self._platform, self._given)

    def _from_word(self, text: str, span: Span) -> str:
        return self._expand(text, self._outside(), span, complete=self._globals_known)

    def _expand(self, text: str, values: Mapping[str, str], span: Span, *, complete: bool) -> str:
        try:
            expander = expand if complete else expand_known
            return expander(text, values, escape=self._definition.escape)
        except WordError as error:
            self._problems.warning("bad-word", f"{error} in '{text}'", span)
            return text


def _row(span: Span, content: Plain) -> Plain:
    return {**content, "start_line": span.line, "end_line": span.last_line}
