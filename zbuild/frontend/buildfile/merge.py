"""The one rule by which a thing is laid over another: `extends`, profiles and override files all use it (ADR 0009).

Mappings are merged key by key, to any depth; anything else, lists included, takes the place of what was there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from zbuild.frontend.buildfile.inline import inline_keys
from zbuild.syntax.nodes import Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.syntax.nodes import Node

Merge: TypeAlias = "Callable[[Node, Node], Node]"

# What an image is made from: they exclude each other, so one that is laid over another puts it out of place.
_WAYS = ("file", "runtime", "base", "build", "stages", "wasm")
_STEPPED = ("base", "build")  # the ways that have `steps` beside them


def merge(under: Node, over: Node) -> Node:
    """Lay one value over another. Nothing, laid over a mapping or a list, leaves it as it is."""
    if isinstance(under, Mapping) and isinstance(over, Mapping):
        return _merged(under, over, lambda _name: merge)
    return under if _is_nothing(over) and not isinstance(under, Scalar) else over


def merge_image(under: Node, over: Node) -> Node:
    """Lay an image's settings over another's; another build file or base takes the place of the whole definition."""
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return merge(under, over)
    return _merged(_without_other_ways(under, over), over, lambda _name: merge)


def merge_files(under: Node, over: Node) -> Node:
    """Lay a whole zbuild.yaml, or a profile of it, over another."""
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return merge(under, over)
    return _merged(under, over, lambda name: _SECTIONS.get(name, merge))


def _merge_images(under: Node, over: Node) -> Node:
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return merge(under, over)
    return _merged(under, over, lambda _name: merge_image)


def _merge_variables(under: Node, over: Node) -> Node:
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return merge(under, over)
    return _merged(under, over, lambda _name: _merge_variable)


def _merge_variable(under: Node, over: Node) -> Node:
    """Lay one variable over another: a value alone, over one with a type and rules, is its new default."""
    if isinstance(under, Mapping) and not isinstance(over, Mapping):
        return _merged(under, Mapping(((Scalar("default", span=over.span), over),)), lambda _name: merge)
    return merge(under, over)


def _merge_profiles(under: Node, over: Node) -> Node:
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return merge(under, over)
    return _merged(under, over, lambda _name: merge_files)


_SECTIONS: dict[str, Merge] = {
    "vars": _merge_variables,
    "images": _merge_images,
    "templates": _merge_images,
    "profiles": _merge_profiles,
}


def _merged(under: Mapping, over: Mapping, by: Callable[[str], Merge]) -> Mapping:
    """Merge two mappings, each key's values by the rule that `by` names; a key keeps the place where it stood first."""
    items = {key.text: (key, value) for key, value in under.items}
    for key, value in over.items:
        if key.text in items:
            first, below = items[key.text]
            joined = by(key.text)(below, value)
            items[key.text] = (first if joined is below or isinstance(below, Mapping) else key, joined)
        else:
            items[key.text] = (key, value)
    return Mapping(tuple(items.values()), under.span)


def _without_other_ways(under: Mapping, over: Mapping) -> Mapping:
    chosen = [way for way in _WAYS if way in over]
    if not chosen:
        return under
    dropped = set(inline_keys()) if "file" in chosen else {way for way in _WAYS if way not in chosen}
    if not any(way in _STEPPED for way in chosen):
        dropped.add("steps")
    return Mapping(tuple((key, value) for key, value in under.items if key.text not in dropped), under.span)


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null
