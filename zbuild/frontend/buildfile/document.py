"""One zbuild.yaml made plain: `extends` merged in, a matrix's images written out, variables replaced."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.frontend.buildfile.extends import resolve_extends
from zbuild.frontend.buildfile.inline import inline_keys
from zbuild.frontend.buildfile.matrix import combinations
from zbuild.frontend.buildfile.variables import file_variables, read_declarations
from zbuild.syntax.interpolate import Budget, interpolate
from zbuild.syntax.nodes import Mapping
from zbuild.syntax.schema import check_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from collections.abc import Mapping as Dict

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.frontend.buildfile.assign import Assignments
    from zbuild.frontend.buildfile.extends import Parent
    from zbuild.frontend.buildfile.given import Given
    from zbuild.syntax.interpolate import Value
    from zbuild.syntax.nodes import Node, Scalar

_MOST_IMAGES = 10_000  # that the matrices of one file make, together
_USED = ("templates", "profiles")  # their texts are replaced where they are used


@dataclass(frozen=True, slots=True)
class Scope:
    """What an included file sees of the file that includes it: its variables, and what can be extended."""

    variables: Dict[str, Value] = field(default_factory=dict)
    parents: Dict[str, Parent] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A build file that is ready to be read; `matrices` are the names that stand for several images, with these."""

    node: Node
    scope: Scope
    matrices: Dict[Scalar, tuple[str, ...]]


def plain_document(
    root: Node, folder: str, outer: Scope, given: Given, settings: Assignments, diagnostics: Diagnostics
) -> Document:
    """Return a build file without `extends`, matrices and variables; what is wrong with them is noted.

    `settings` are what the command line sets in images. Raises BuildFileError for more text than is sane.
    """
    if not isinstance(root, Mapping):
        return Document(root, outer, {})
    _check_raw(root, diagnostics)
    variables = file_variables(
        read_declarations(root.mapping("vars"), diagnostics), outer.variables, given, diagnostics
    )
    parents = resolve_extends(root, folder, outer.parents, diagnostics)
    work = _Images(_Sources(folder, variables, parents, settings), diagnostics)
    items: list[tuple[Scalar, Node]] = []
    for key, node in root.items:
        if key.text == "images" and isinstance(node, Mapping):
            items.append((key, Mapping(tuple(work.images(node)), node.span)))
        elif key.text == "vars":
            items.append((key, node))
        elif key.text not in _USED:
            items.append((key, interpolate(node, variables, diagnostics, budget=work.budget)))
    return Document(Mapping(tuple(items), root.span), Scope(variables, parents), work.matrices)


def _check_raw(root: Mapping, diagnostics: Diagnostics) -> None:
    """Hold what may go unused to the schema all the same."""
    items = tuple((key, node) for key, node in root.items if key.text in _USED)
    if items:
        check_schema(Mapping(items, root.span), "zbuild", diagnostics, unfinished=True)


@dataclass(frozen=True, slots=True)
class _Sources:
    """What the images of a file in `folder` are made of."""

    folder: str
    variables: Dict[str, Value]
    parents: Dict[str, Parent]
    settings: Assignments


class _Images:
    """Makes the images of a file, each with its variables replaced."""

    def __init__(self, sources: _Sources, diagnostics: Diagnostics) -> None:
        self._sources = sources
        self._variables = sources.variables
        self._diagnostics = diagnostics
        self.budget = Budget()
        self.matrices: dict[Scalar, tuple[str, ...]] = {}

    def images(self, images: Mapping) -> Iterator[tuple[Scalar, Node]]:
        made = 0
        for name, node in images.items:
            parent = self._sources.parents.get(name.text) if isinstance(node, Mapping) else None
            image = node if parent is None else parent.node
            found = None
            if isinstance(image, Mapping) and "matrix" in image:
                found = combinations(name, image, self._variables, self._diagnostics, self.budget)
            if found is None:
                yield name, self._set(self._replaced(image, self._variables), name.text)
                continue
            made += len(found)
            if made > _MOST_IMAGES:
                message = f"the matrices of this file come to more than {_MOST_IMAGES} images here"
                self._diagnostics.error("too-many-images", message, name.span)
                return
            self.matrices[name] = tuple(item.name.text for item in found)
            names = {name for item in found for name in item.values}
            for item in found:
                replaced = self._replaced(item.node, {**self._variables, **item.values}, names)
                yield item.name, self._set(replaced, item.name.text, name.text)

    def _set(self, image: Node, *names: str) -> Node:
        return self._sources.settings.to_image(image, self._sources.folder, *names)

    def _replaced(self, image: Node, values: Dict[str, Value], partial: Collection[str] = ()) -> Node:
        """Replace variables: strictly but in an inline definition, where `${NAME}` may be a build argument.

        Such a name that only some combinations of a matrix have (`partial`) is no build argument, but a slip.
        """
        if not isinstance(image, Mapping):
            return interpolate(image, values, self._diagnostics, budget=self.budget)

        def replaced(key: str, node: Node) -> Node:
            lenient = key in inline_keys()
            return interpolate(node, values, self._diagnostics, lenient=lenient, budget=self.budget, partial=partial)

        return Mapping(tuple((key, replaced(key.text, node)) for key, node in image.items), image.span)
