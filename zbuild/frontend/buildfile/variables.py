"""The variables of a zbuild.yaml put into its texts: everywhere but in `vars` itself."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from zbuild.syntax.interpolate import interpolate, resolve_variables
from zbuild.syntax.nodes import Mapping
from zbuild.syntax.schema import read_schema

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.syntax.nodes import Node


@cache
def inline_keys() -> frozenset[str]:
    """Return the keys that define an image inline: a ZImagefile's, but for those that images have anyway."""
    return frozenset(read_schema("zimagefile")["properties"]) - {"version", "os", "labels"}


def with_variables(
    root: Node, inherited: Dict[str, str], overrides: Dict[str, str], diagnostics: Diagnostics
) -> tuple[Dict[str, str], Node]:
    """Return a file's variables, and the file with their values in place; what is wrong is noted.

    Raises BuildFileError for more text than is sane.
    """
    if not isinstance(root, Mapping):
        return inherited, root
    values = resolve_variables(root.mapping("vars"), inherited, overrides, diagnostics)

    def replaced(key: str, node: Node) -> Node:
        if key == "vars":
            return node
        if key == "images" and isinstance(node, Mapping):
            return Mapping(tuple((name, _image(image, values, diagnostics)) for name, image in node.items), node.span)
        return interpolate(node, values, diagnostics)

    return values, Mapping(tuple((key, replaced(key.text, node)) for key, node in root.items), root.span)


def _image(image: Node, values: Dict[str, str], diagnostics: Diagnostics) -> Node:
    """Interpolate an image: strictly but for an inline definition, where `${NAME}` may be a build argument."""
    if not isinstance(image, Mapping):
        return interpolate(image, values, diagnostics)
    keys = inline_keys()
    items = tuple((key, interpolate(node, values, diagnostics, lenient=key.text in keys)) for key, node in image.items)
    return Mapping(items, image.span)
