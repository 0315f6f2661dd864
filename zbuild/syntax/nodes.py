"""YAML as zbuild keeps it: nodes with their places, every scalar with the text that stands in the file.

What a scalar means (a text, a number, a yes or no) is decided where a field wants it, never by how it looks: `no` may
be a country and `1.10` a version.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.model.ops import NOWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.base.span import Span

_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text. `plain`: it stands without quotes, so that a field may read it as a number, a boolean or nothing."""

    text: str
    plain: bool = True
    span: Span = field(default=NOWHERE, compare=False)

    @property
    def is_null(self) -> bool:
        """Whether it is YAML's nothing."""
        return self.plain and self.text in _NULL

    @property
    def integer(self) -> int | None:
        """Return the whole number it is, if it is one (decimal, at most 18 digits)."""
        return int(self.text) if self.plain and _INTEGER.fullmatch(self.text) else None

    @property
    def boolean(self) -> bool | None:
        """Return the truth it tells in any of YAML 1.1's words but `y` and `n`, if it does."""
        word = self.text.lower()
        return None if not self.plain or word not in _TRUE | _FALSE else word in _TRUE


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order written; no key twice."""

    items: tuple[tuple[Scalar, Node], ...] = ()
    span: Span = field(default=NOWHERE, compare=False)

    def __contains__(self, name: object) -> bool:
        return any(key.text == name for key, _ in self.items)

    def get(self, name: str) -> Node | None:
        """Return the value of a key."""
        return next((value for key, value in self.items if key.text == name), None)

    def key(self, name: str) -> Scalar | None:
        """Return a key as it stands in the file."""
        return next((key for key, _ in self.items if key.text == name), None)

    def place(self, name: str) -> Span:
        """Return where a key stands, or the mapping when it has no such key."""
        key = self.key(name)
        return self.span if key is None else key.span

    def scalar(self, name: str) -> Scalar | None:
        """Return the value of a key, if it is a scalar other than nothing."""
        value = self.get(name)
        return value if isinstance(value, Scalar) and not value.is_null else None

    def text(self, name: str) -> str:
        """Return the text of a key's scalar, or ""."""
        value = self.scalar(name)
        return "" if value is None else value.text

    def flag(self, name: str) -> bool:
        """Return the truth of a key's scalar; False when there is none."""
        value = self.scalar(name)
        return bool(value and value.boolean)

    def number(self, name: str) -> int | None:
        """Return the whole number of a key's scalar, if it is one."""
        value = self.scalar(name)
        return None if value is None else value.integer

    def mapping(self, name: str) -> Mapping:
        """Return the mapping under a key; an empty one when there is none."""
        value = self.get(name)
        return value if isinstance(value, Mapping) else Mapping(span=self.place(name))

    def scalars(self, name: str) -> tuple[Scalar, ...]:
        """Return the scalars of the list under a key; a lone scalar is a list of one."""
        return tuple(scalars_of(self.get(name)))

    def mappings(self, name: str) -> tuple[Mapping, ...]:
        """Return the mappings of the list under a key."""
        value = self.get(name)
        return tuple(item for item in value.items if isinstance(item, Mapping)) if isinstance(value, Sequence) else ()

    def pairs(self) -> Iterator[tuple[Scalar, Scalar]]:
        """Yield the keys whose values are scalars, with them; nothing counts as the empty text."""
        for key, value in self.items:
            if isinstance(value, Scalar):
                yield key, Scalar("", plain=False, span=value.span) if value.is_null else value


Node: TypeAlias = Scalar | Sequence | Mapping


def scalars_of(node: Node | None) -> Iterator[Scalar]:
    """Yield a scalar, or the scalars of a list."""
    if isinstance(node, Scalar):
        if not node.is_null:
            yield node
    elif isinstance(node, Sequence):
        yield from (item for item in node.items if isinstance(item, Scalar))


def kind_of(node: Node) -> str:
    """Return what people call a node: a mapping, a list, text, a number, a boolean or nothing."""
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case _:
            return _scalar_kind(node)


def _scalar_kind(node: Scalar) -> str:
    if node.is_null:
        return "nothing"
    if node.integer is not None:
        return "a number"
    return "text" if node.boolean is None else "a boolean"
