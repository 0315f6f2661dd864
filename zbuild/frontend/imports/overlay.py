"""Several files of one tool as one: later ones lie over earlier ones, as docker does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.frontend.imports.emit import merged, pairs
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from zbuild.syntax.nodes import Node

BAKE_ADDED = ("args", "labels", "contexts")
"""What a target adds to that of those it inherits from, and of earlier files; the rest is replaced."""

_ADDED_LISTS = ("secret", "ssh")
_BAKE_BLOCKS = ("variable", "target", "group")
_NAMED = ("args", "labels", "additional_contexts")


def overlay_bake(files: Iterable[Mapping]) -> Mapping:
    """Return the bake files as one: targets attribute by attribute, anything else replaced."""
    items: dict[str, tuple[Scalar, Node]] = {}
    for file in files:
        for key, value in file.items:
            below = items.get(key.text)
            if key.text in _BAKE_BLOCKS:
                value = _blocks(merged(below[1]) if below else Mapping(), merged(value))  # noqa: PLW2901 - as one
            items[key.text] = (key, value)
    return Mapping(tuple(items.values()), next(iter(items.values()))[0].span) if items else Mapping()


def overlay_target(below: Mapping, above: Mapping) -> Mapping:
    """Return a target, or another block, with the attributes of one that lies over it."""
    return _by_key(below, above, _joined)


def _joined(key: Scalar, below: Node, above: Node) -> Node:
    if key.text in BAKE_ADDED:
        return merged(Sequence((below, above)))
    if key.text in _ADDED_LISTS and isinstance(below, Sequence) and isinstance(above, Sequence):
        return Sequence((*below.items, *above.items), above.span)
    return above


def overlay_compose(files: Iterable[Mapping]) -> Mapping:
    """Return the Compose files as one: mappings by key, lists one after the other, anything else replaced."""
    whole = Mapping()
    for file in files:
        whole = _laid(whole, file)
    return whole


def overlay_service(below: Mapping, above: Mapping) -> Mapping:
    """Return a service that extends another."""
    return _laid(below, above)


def _blocks(below: Mapping, above: Mapping) -> Mapping:
    return _by_key(below, above, lambda _key, known, value: overlay_target(merged(known), merged(value)))


def _laid(below: Mapping, above: Mapping) -> Mapping:
    return _by_key(below, above, _over)


def _by_key(below: Mapping, above: Mapping, join: Callable[[Scalar, Node, Node], Node]) -> Mapping:
    """Return both as one; what has a value in both is joined, key for key."""
    items = {key.text: (key, value) for key, value in below.items}
    for key, value in above.items:
        known = items.get(key.text)
        items[key.text] = (key, join(key, known[1], value) if known else value)
    return Mapping(tuple(items.values()), above.span)


def _over(key: Scalar, below: Node, above: Node) -> Node:
    if key.text in _NAMED:
        below, above = _by_name(below), _by_name(above)
    if key.text == "build":
        below, above = _build(key, below), _build(key, above)
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return _laid(below, above)
    if isinstance(below, Sequence) and isinstance(above, Sequence):
        return Sequence((*below.items, *(item for item in above.items if item not in below.items)), above.span)
    return above


def _by_name(node: Node) -> Mapping:
    """Return a list of `NAME=VALUE` as the mapping it may be written as, too."""
    return Mapping(tuple((name, value or Scalar("")) for name, value in pairs(node)), node.span)


def _build(key: Scalar, node: Node) -> Node:
    """Return the long form of `build: FOLDER`."""
    return node if isinstance(node, Mapping) else Mapping(((Scalar("context", span=key.span), node),), node.span)
