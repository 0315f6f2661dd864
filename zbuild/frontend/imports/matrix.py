"""The matrix of a bake target."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbuild.frontend.imports.emit import Imported, Yaml
    from zbuild.syntax.nodes import Node

_MOST = 1000  # as many images as a matrix of a zbuild.yaml makes
_MEMBER = re.compile(r"\$\{([A-Za-z_]\w*)\.([A-Za-z_]\w*)\}", re.ASCII)


def set_matrix(image: Yaml, key: Scalar, target: Mapping, imported: Imported) -> tuple[tuple[str, ...], Mapping]:
    """Set the matrix and the name of an image; return the variables it has then, and the target that uses them.

    Values that are mappings become one variable for each of their members: `${item.tgt}` is `${item_tgt}` then.
    """
    matrix = target.get("matrix")
    if not isinstance(matrix, Mapping):
        return (), target
    axes = [(name.text, axis.items) for name, axis in matrix.items if isinstance(axis, Sequence)]
    if len(axes) < len(matrix.items) or _count(axes) > _MOST:
        imported.drop(f"'matrix' of target '{key.text}', which is computed or too large,", target.place("matrix"))
        return (), Mapping(tuple(pair for pair in target.items if pair[0].text != "matrix"), target.span)
    if any(isinstance(value, Mapping) for _, values in axes for value in values):
        image["matrix"] = {"include": list(_combinations(axes))}
        names = dict.fromkeys(name for combination in image["matrix"]["include"] for name in combination)
    else:
        image["matrix"] = {name: [_text(value) for value in values] for name, values in axes}
        names = dict.fromkeys(image["matrix"])
    plain = _renamed(target)
    if isinstance(plain, Mapping) and plain.text("name"):
        image["name"] = plain.text("name")
    return tuple(names), plain if isinstance(plain, Mapping) else target


def _count(axes: Iterable[tuple[str, tuple[Node, ...]]]) -> int:
    count = 1
    for _, values in axes:
        count *= len(values)
    return count


def _combinations(axes: list[tuple[str, tuple[Node, ...]]]) -> Iterable[Yaml]:
    for values in itertools.product(*(values for _, values in axes)):
        combination: Yaml = {}
        for (name, _), value in zip(axes, values, strict=True):
            if isinstance(value, Mapping):
                combination |= {f"{name}_{member.text}": _text(item) for member, item in value.items}
            else:
                combination[name] = _text(value)
        yield combination


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _renamed(node: Node) -> Node:
    match node:
        case Scalar():
            return Scalar(_MEMBER.sub(r"${\1_\2}", node.text), node.plain, node.span)
        case Sequence():
            return Sequence(tuple(map(_renamed, node.items)), node.span)
    return Mapping(tuple((key, _renamed(value)) for key, value in node.items), node.span)
