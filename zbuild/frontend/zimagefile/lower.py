"""A ZImagefile to the IR: the text, or (for an image defined inline) a mapping that has been checked already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from zbuild.base.diagnostic import Diagnostics
from zbuild.frontend.zimagefile.metadata import arg_ops
from zbuild.frontend.zimagefile.scope import Scope
from zbuild.frontend.zimagefile.stages import lower_named_stage, lower_only_stage
from zbuild.frontend.zimagefile.wasm import lower_wasm
from zbuild.model.definition import Definition
from zbuild.syntax.nodes import Mapping
from zbuild.syntax.schema import check_schema
from zbuild.syntax.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbuild.model.definition import Stage
    from zbuild.syntax.nodes import Scalar

_MOST_DECLARATIONS = 200_000  # every stage declares every argument of the file


class LowerRuntime(Protocol):
    """Makes definitions of images that name a recipe."""

    def __call__(self, node: Mapping, *, file: str, folder: str) -> Definition:
        """Return the definition that a mapping with `runtime` stands for. Raises BuildFileError."""
        ...


def parse_zimagefile(data: bytes, *, file: str, folder: str, lower_runtime: LowerRuntime | None = None) -> Definition:
    """Return the definition that a ZImagefile holds.

    `file` is its path as spans show it, `folder` the workspace-relative folder that paths of nested builds start from.
    `lower_runtime` knows the recipes; without it a file with `runtime` is refused. Raises BuildFileError with
    every problem of the file.
    """
    node = read_yaml(data, file)
    diagnostics = Diagnostics()
    checked = check_schema(node, "zimagefile", diagnostics)
    node = checked if isinstance(checked, Mapping) else Mapping()
    if "runtime" in node and lower_runtime is not None:
        diagnostics.check_in_order()
        return lower_runtime(node, file=file, folder=folder)
    return _lower(node, file, folder, diagnostics)


def lower_zimagefile(node: Mapping, *, file: str, folder: str) -> Definition:
    """Return the definition that a mapping with a ZImagefile's keys is; it must have passed the schema's rules.

    Parameters and errors are those of `parse_zimagefile`.
    """
    return _lower(node, file, folder, Diagnostics())


def _lower(node: Mapping, file: str, folder: str, diagnostics: Diagnostics) -> Definition:
    if "runtime" in node:
        diagnostics.error("unknown-recipe", "there are no recipes here", node.place("runtime"))
    scope = Scope(folder, diagnostics)
    stages: tuple[Stage, ...] = ()
    component = lower_wasm(node, scope) if "wasm" in node else None
    if "base" in node or "build" in node:
        stages = (lower_only_stage(node, scope),)
    elif component is None:
        stages = tuple(_stages(node, scope))
    diagnostics.check_in_order()
    return Definition(file, stages, tuple(arg_ops(node.mapping("args"))), wasm=component)


def _stages(top: Mapping, scope: Scope) -> Iterable[Stage]:
    if "steps" in top:
        message = "'steps' and 'stages' exclude each other"
        hint = "put the steps into one of the stages"
        scope.diagnostics.error("conflicting-keys", message, top.place("steps"), hint)
    stages = [(name, stage) for name, stage in top.mapping("stages").items if isinstance(stage, Mapping)]
    _check_names([name for name, _ in stages], scope)
    if len(stages) * len(top.mapping("args").items) > _MOST_DECLARATIONS:
        message = f"so many stages and arguments come to more than {_MOST_DECLARATIONS} declarations"
        scope.diagnostics.error("too-many-nodes", message, top.place("args"))
        return
    for index, (name, stage) in enumerate(stages):
        yield lower_named_stage(name, stage, top, scope, last=index == len(stages) - 1)


def _check_names(names: Iterable[Scalar], scope: Scope) -> None:
    first: dict[str, Scalar] = {}
    for index, name in enumerate(names):
        lower = name.text.lower()
        if lower == "scratch":
            scope.diagnostics.error("bad-value", "no stage can be called 'scratch': it means an empty base", name.span)
        if lower in first:
            message = f"stage '{name.text}' is there already, as '{first[lower].text}': case does not count"
            scope.diagnostics.error("duplicate-stage", message, name.span)
        first.setdefault(lower, name)
        scope.names.setdefault(lower, index)
