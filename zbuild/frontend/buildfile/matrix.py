"""`matrix`: one image for each combination of values.

`exclude` takes out the combinations that have all the values of one of its entries. Then each entry of `include` is
added to the combinations whose values it does not change, or, where there are none, makes one more (as in GitHub
Actions).
"""

from __future__ import annotations

import re
from dataclasses import field
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.text import did_you_mean
from zbuild.syntax.interpolate import interpolate
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as Dict

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.syntax.interpolate import Budget, Value

MOST_COMBINATIONS = 1000
"""Of one matrix."""

_CHANGES = ("include", "exclude")
_UNNAMABLE = re.compile(r"[^A-Za-z0-9_.]+")


@dataclass(frozen=True, slots=True)
class Combination:
    """An image that a matrix makes, with the values that hold in it."""

    name: Scalar
    node: Mapping
    values: Dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Row:
    """The values of one combination, and what `include` adds to them."""

    values: dict[str, str]
    added: dict[str, str] = field(default_factory=dict)


def combinations(
    name: Scalar, image: Mapping, values: Dict[str, Value], diagnostics: Diagnostics, budget: Budget
) -> tuple[Combination, ...] | None:
    """Return the images that an image's matrix makes of it, named like `api-3.12-slim` or by its `name`.

    None for an image without a matrix, or one that the schema will refuse. `values` are the variables of the file; what
    is wrong with the matrix is noted.
    """
    node = image.get("matrix")
    matrix = interpolate(node, values, diagnostics, budget=budget) if node else None
    if not isinstance(matrix, Mapping) or not _is_whole(matrix):
        return None
    made: dict[str, Combination] = {}
    for row in _rows(image, matrix, diagnostics):
        text = _name(name, image, row, values, diagnostics)
        # The schema need look at the matrix only once.
        hidden = _CHECKED_ONCE if made else ()
        rest = Mapping(tuple((key, value) for key, value in image.items if key.text not in hidden), image.span)
        combination = Combination(Scalar(text, plain=False, span=name.span), rest, {**row.values, **row.added})
        if made.setdefault(text, combination) is not combination:
            message = f"two combinations of '{name.text}' are called '{text}': {_told(made[text].values)}"
            hint = "give the image a 'name' that has all of the matrix's values in it"
            diagnostics.error("duplicate-image", f"{message} and {_told(combination.values)}", name.span, hint)
    return tuple(made.values())


_CHECKED_ONCE = ("matrix", "name")


def _is_whole(matrix: Mapping) -> bool:
    """Say whether a matrix is one, as the schema has it."""
    changes = [node for key, node in matrix.items if key.text in _CHANGES]
    axes = [node for key, node in matrix.items if key.text not in _CHANGES]
    return (
        bool(matrix.items)
        and all(
            isinstance(node, Sequence) and all(isinstance(item, Mapping) for item in node.items) for node in changes
        )
        and all(isinstance(node, Sequence) and node.items for node in axes)
        and all(isinstance(item, Scalar) for node in axes if isinstance(node, Sequence) for item in node.items)
    )


def _told(values: Dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _name(name: Scalar, image: Mapping, row: _Row, values: Dict[str, Value], diagnostics: Diagnostics) -> str:
    template = image.scalar("name")
    if template is None:
        return "-".join([name.text, *(_UNNAMABLE.sub("-", value).strip("-") for value in row.values.values())])
    found = interpolate(template, {**values, **row.values, **row.added}, diagnostics)
    return found.text if isinstance(found, Scalar) else name.text


def _rows(image: Mapping, matrix: Mapping, diagnostics: Diagnostics) -> list[_Row]:
    axes = {key.text: list(_texts(node)) for key, node in matrix.items if key.text not in _CHANGES}
    count = prod(map(len, axes.values())) + len(matrix.mappings("include"))
    if count > MOST_COMBINATIONS:
        message = f"this matrix has {count} combinations; {MOST_COMBINATIONS} are the most"
        diagnostics.error("too-many-images", message, image.place("matrix"))
        return []
    rows = [_Row(dict(zip(axes, row, strict=True))) for row in product(*axes.values())] if axes else []
    rows = _excluded(rows, axes, matrix, diagnostics)
    rows += list(_included(rows, matrix))
    if not rows:
        diagnostics.error("empty-matrix", "this matrix leaves no combination", image.place("matrix"))
    return rows


def _texts(node: object) -> Iterator[str]:
    items = node.items if isinstance(node, Sequence) else ()
    yield from dict.fromkeys("" if item.is_null else item.text for item in items if isinstance(item, Scalar))


def _excluded(rows: list[_Row], axes: Dict[str, list[str]], matrix: Mapping, diagnostics: Diagnostics) -> list[_Row]:
    """Return the rows that no entry of `exclude` fits; one that fits none is noted, since it is a slip."""
    for entry in matrix.mappings("exclude"):
        pairs = {key.text: value.text for key, value in entry.pairs()}
        for key, value in entry.pairs():
            if key.text not in axes:
                hint = did_you_mean(key.text, axes)
                diagnostics.error("unknown-key", f"the matrix has no '{key.text}'", key.span, hint)
            elif value.text not in axes[key.text]:
                hint = did_you_mean(value.text, axes[key.text])
                message = f"'{key.text}' of the matrix is never '{value.text}'"
                diagnostics.error("bad-value", message, value.span, hint)
        rows = [row for row in rows if not pairs or any(row.values.get(key) != text for key, text in pairs.items())]
    return rows


def _included(rows: list[_Row], matrix: Mapping) -> Iterator[_Row]:
    """Add the entries of `include` to the rows that they fit; yield those that fit none as rows of their own."""
    for entry in matrix.mappings("include"):
        pairs = {key.text: value.text for key, value in entry.pairs()}
        fitting = [row for row in rows if all(row.values.get(name, text) == text for name, text in pairs.items())]
        for row in fitting:
            row.added |= {name: text for name, text in pairs.items() if name not in row.values}
        if not fitting:
            yield _Row(pairs)
