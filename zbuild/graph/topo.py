"""Order, and cycles told with their path."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class CycleError(ValueError):
    """The graph has a cycle; `path` starts and ends with the same node."""

    def __init__(self, path: Sequence[str]) -> None:
        super().__init__(" → ".join(path))
        self.path = tuple(path)


def order(edges: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return all nodes, each after what it needs, otherwise in the mapping's order.

    `edges` maps each node to what it needs; every name must be a node. Iterative, so depth is no limit.
    Raises CycleError with the path of the first cycle met.
    """
    done: dict[str, None] = {}
    for start in edges:
        if start not in done:
            _visit(start, edges, done)
    return tuple(done)


def _visit(start: str, edges: Mapping[str, Sequence[str]], done: dict[str, None]) -> None:
    path: dict[str, None] = {start: None}
    stack = [(start, iter(edges[start]))]
    while stack:
        node, rest = stack[-1]
        following = next((name for name in rest if name not in done), None)
        if following is None:
            stack.pop()
            del path[node]
            done[node] = None
        elif following in path:
            names = list(path)
            raise CycleError([*names[names.index(following) :], following])
        else:
            path[following] = None
            stack.append((following, iter(edges[following])))


def reachable(starts: Sequence[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the starts and everything they need."""
    found = set(starts)
    pending = list(found)
    while pending:
        for name in edges[pending.pop()]:
            if name not in found:
                found.add(name)
                pending.append(name)
    return found
