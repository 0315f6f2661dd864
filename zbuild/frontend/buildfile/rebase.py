"""Paths of a build file as a build file in another folder would write them."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.syntax.nodes import Node

_SCHEME = re.compile(r"[A-Za-z][A-Za-z+-]*:")  # docker-image://…, target:…
_PATHS = ("context", "file")
_BUILD_PATHS = ("workdir", "context")  # its `file` is relative to these


def rebased(image: Mapping, old: str, new: str) -> Mapping:
    """Return an image whose paths, relative to the folder `old`, are relative to `new`; both lie in the workspace."""
    if old == new:
        return image
    way = posixpath.relpath(old, new)

    def build(node: Node) -> Node:
        return _changed(node, _BUILD_PATHS, path) if isinstance(node, Mapping) else path(node)

    def path(node: Node) -> Node:
        return _moved(node, way)

    def stage(node: Node) -> Node:
        return _changed(node, ("build",), build)

    changed = _changed(_changed(image, _PATHS, path), ("build",), build)
    changed = _changed(changed, ("contexts",), lambda node: _each(node, lambda value: _moved_folder(value, way)))
    changed = _changed(changed, ("stages",), lambda node: _each(node, stage))
    return changed if isinstance(changed, Mapping) else image


def rebased_file(root: Node, old: str, new: str) -> Node:
    """Return a zbuild.yaml whose paths, relative to the folder `old`, are relative to `new`."""
    if old == new:
        return root

    def image(node: Node) -> Node:
        return rebased(node, old, new) if isinstance(node, Mapping) else node

    def profile(node: Node) -> Node:
        return rebased_file(node, old, new)

    way = posixpath.relpath(old, new)
    changed = _changed(root, ("include", "recipes"), lambda node: _moved(node, way))
    changed = _changed(changed, ("contexts",), lambda node: _each(node, lambda value: _moved_folder(value, way)))
    changed = _changed(changed, ("images", "templates"), lambda node: _each(node, image))
    return _changed(changed, ("profiles",), lambda node: _each(node, profile))


def _moved(node: Node, way: str) -> Node:
    """Return a path, or a list of them, with a way put before it."""
    if isinstance(node, Sequence):
        return Sequence(tuple(_moved(item, way) for item in node.items), node.span)
    if not isinstance(node, Scalar) or node.is_null or node.text.startswith("/"):
        return node
    return Scalar(posixpath.join(way, node.text), plain=False, span=node.span)


def _moved_folder(node: Node, way: str) -> Node:
    """Return a named context with a way put before its folder, if it is one."""
    return node if isinstance(node, Scalar) and _SCHEME.match(node.text) else _moved(node, way)


def _each(node: Node, change: Callable[[Node], Node]) -> Node:
    if not isinstance(node, Mapping):
        return node
    return Mapping(tuple((key, change(value)) for key, value in node.items), node.span)


def _changed(node: Node, keys: tuple[str, ...], change: Callable[[Node], Node]) -> Node:
    if not isinstance(node, Mapping):
        return node
    items = ((key, change(value) if key.text in keys else value) for key, value in node.items)
    return Mapping(tuple(items), node.span)
