"""`runtime: NAME` → definition: the recipe's stages, with what stands beside `runtime` on top of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from zbuild.base.diagnostic import Diagnostics
from zbuild.base.text import did_you_mean
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.frontend.recipe.catalog import Catalog, Recipe
    from zbuild.model.definition import Definition
    from zbuild.syntax.nodes import Node

_NAMES = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_OWN_KEYS = frozenset({"runtime", "version", "steps"})
_MERGED = ("args", "env", "labels")
_WASM = ("wasm", "webassembly")  # no recipe: the same as `wasm: {}`


class Lower(Protocol):
    """Makes a definition of a mapping with a ZImagefile's keys."""

    def __call__(self, node: Mapping, *, file: str, folder: str) -> Definition:
        """Return the definition. Raises BuildFileError."""
        ...


def expand_recipe(node: Mapping, catalog: Catalog, lower: Lower, *, file: str, folder: str) -> Definition:
    """Return the definition that a mapping with `runtime`, checked by the schema, stands for.

    Its `args` set the recipe's parameters; its other keys hold for the finished image. `file` and `folder` are those
    of the file that names the recipe. Raises BuildFileError with every problem.
    """
    runtime = node.scalar("runtime") or Scalar("")
    diagnostics = Diagnostics()
    if runtime.text.lower() in _WASM:
        return lower(_component(node, runtime), file=file, folder=folder)
    recipe = catalog.find(runtime.text, runtime.span)
    _check(node, recipe, diagnostics)
    diagnostics.check_in_order()
    return lower(_with(catalog.build_file(recipe), node), file=file, folder=folder)


def _component(node: Mapping, runtime: Scalar) -> Mapping:
    items = tuple((key, value) for key, value in node.items if key.text != "runtime")
    return Mapping((*items, (Scalar("wasm", span=runtime.span), Mapping(span=runtime.span))), node.span)


def _check(node: Mapping, recipe: Recipe, diagnostics: Diagnostics) -> None:
    """Note `steps`, which a recipe has itself, and arguments that neither the recipe nor the file makes use of."""
    if "steps" in node:
        hint = f"to change the recipe, copy what 'zbuild recipes {recipe.name}' prints"
        diagnostics.error("conflicting-keys", "'runtime' and 'steps' exclude each other", node.place("steps"), hint)
    known = [parameter.name for parameter in recipe.parameters]
    used = set(_used(node))
    for name, _ in node.mapping("args").items:
        if name.text not in known and name.text not in used:
            hint = did_you_mean(name.text, known) or f"it takes {', '.join(known)}"
            message = f"the recipe '{recipe.name}' has no parameter '{name.text}'"
            diagnostics.error("unknown-parameter", message, name.span, hint)


def _used(node: Node) -> Iterator[str]:
    match node:
        case Scalar():
            yield from _NAMES.findall(node.text)
        case Sequence():
            for item in node.items:
                yield from _used(item)
        case Mapping():
            for _, value in node.items:
                yield from _used(value)


def _with(recipe: Mapping, own: Mapping) -> Mapping:
    """Return a recipe's ZImagefile with a file's own keys: of `args`, `env` and `labels` each name by itself."""
    kept = [(key, value) for key, value in recipe.items if key.text not in own or key.text in _MERGED]
    added = [(key, value) for key, value in own.items if key.text not in _OWN_KEYS and key.text not in _MERGED]
    merged = [(key, _merged(recipe, own, key.text)) for key, _ in own.items if key.text in _MERGED]
    names = {key.text for key, _ in merged}
    return Mapping((*(pair for pair in kept if pair[0].text not in names), *merged, *added), own.span)


def _merged(recipe: Mapping, own: Mapping, name: str) -> Mapping:
    values = {key.text: (key, value) for key, value in (*recipe.mapping(name).items, *own.mapping(name).items)}
    return Mapping(tuple(values.values()), own.place(name))
