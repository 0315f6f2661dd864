"""Frozen, slotted dataclasses as plain builtin values, and back, fast enough for the start of every run.

The plain form is columnar. Objects are numbered so that what an object holds comes before it, and stand in groups of
one class and one depth of nesting; a group is one column per field. So decoding needs no Python call per object or
per field: `map` makes a group's objects and fills a slot of all of them at once, and values that hold no object are
taken as marshal left them. Object identity is kept: what was shared is shared again.

Classes may not rely on `__post_init__` or `__init__`: neither is called. Every field counts, those that take no part
in comparison (spans) included.
"""

from __future__ import annotations

from collections import deque
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Plain: TypeAlias = Any  # a tree of builtin values, as marshal takes and gives them

_ATOMS = frozenset((str, bytes, int, bool, float, type(None)))
# How a column's values stand for the real ones.
_AS_IS, _OBJECTS, _TUPLES_OF_OBJECTS, _MARKED = range(4)
# Marks of the _MARKED form; they stand first in a list, which no value of ours can be.
_OBJECT, _TUPLE, _DICT = range(3)


class Codec:
    """Encodes and decodes values made of builtins, tuples, dicts and the given classes."""

    def __init__(self, classes: Iterable[type]) -> None:
        self._classes = tuple(classes)
        self._fields = {cls: _slots(cls) for cls in self._classes}
        self._shape = tuple((cls.__qualname__, self._fields[cls]) for cls in self._classes)
        self._numbers = {cls: number for number, cls in enumerate(self._classes)}

    def encode(self, value: object) -> Plain:
        """Return the plain form.

        Raises TypeError for values of other types, subclasses of builtins included.
        """
        return _Encoder(self._numbers, self._fields).encode(value, self._shape)

    def decode(self, plain: Plain) -> object:
        """Return the value of a plain form.

        Raises ValueError when it was made for other classes or other fields, or is no plain form at all.
        """
        try:
            shape, groups, root = plain
            if shape != self._shape:
                raise ValueError("the value was encoded for other classes")
            objects: list[object] = []
            for number, count, columns in groups:
                self._decode_group(self._classes[number], count, columns, objects)
            return _from_marked(root, objects)
        except (TypeError, IndexError, AttributeError) as error:
            raise ValueError("the value is no encoded one") from error

    def _decode_group(self, cls: type, count: int, columns: Sequence[Plain], objects: list[object]) -> None:
        """Make the objects of a group, fill their slots column by column, and add them to those made before."""
        made: list[object] = list(map(object.__new__, repeat(cls, count)))
        for name, (form, column) in zip(self._fields[cls], columns, strict=True):
            deque(map(getattr(cls, name).__set__, made, _values(form, column, objects)), maxlen=0)
        objects += made


def _slots(cls: type) -> tuple[str, ...]:
    names = tuple(getattr(cls, "__dataclass_fields__", ()))
    if "__dataclass_fields__" not in cls.__dict__ or not all(
        hasattr(getattr(cls, name, None), "__set__") for name in names
    ):
        msg = f"{cls.__qualname__} is no slotted dataclass"
        raise TypeError(msg)
    return names


def _values(form: int, column: Sequence[Plain], objects: list[object]) -> Iterable[object]:
    if form == _AS_IS:
        return column
    if form == _OBJECTS:
        return map(objects.__getitem__, column)
    if form == _TUPLES_OF_OBJECTS:
        return [tuple(map(objects.__getitem__, numbers)) for numbers in column]
    return [_from_marked(value, objects) for value in column]


def _from_marked(value: Plain, objects: list[object]) -> object:
    if type(value) is not list:
        return value
    mark, content = value
    if mark == _OBJECT:
        return objects[content]
    if mark == _TUPLE:
        return tuple([_from_marked(item, objects) for item in content])
    return {_from_marked(key, objects): _from_marked(item, objects) for key, item in content}


class _Reference:
    """Stands for an object in values that are being encoded, until all objects have their numbers."""

    __slots__ = ("depth", "fields", "kind", "number", "owner")

    def __init__(self, owner: object, kind: int, depth: int, fields: list[object]) -> None:
        self.owner = owner  # kept alive: identity is told by address
        self.kind = kind
        self.depth = depth
        self.fields = fields
        self.number = -1


class _Encoder:
    def __init__(self, numbers: dict[type, int], fields: dict[type, tuple[str, ...]]) -> None:
        self._numbers = numbers
        self._fields = fields
        self._references: dict[int, _Reference] = {}
        self._deepest = 0

    def encode(self, value: object, shape: Plain) -> Plain:
        root = self._refer(value)
        groups = self._number_groups()
        return shape, tuple(self._group(group) for group in groups), _to_marked(root)

    def _refer(self, value: object) -> object:
        """Return the value with references in the place of objects; `_deepest` becomes their greatest depth."""
        kind = type(value)
        if kind in _ATOMS:
            return value
        if isinstance(value, tuple) and kind is tuple:
            return tuple([self._refer(item) for item in value])
        if isinstance(value, dict) and kind is dict:
            return {self._refer(key): self._refer(item) for key, item in value.items()}
        if kind in self._numbers:
            reference = self._references.get(id(value)) or self._reference(value, kind)
            self._deepest = max(self._deepest, reference.depth)
            return reference
        msg = f"{kind.__qualname__} cannot be encoded"
        raise TypeError(msg)

    def _reference(self, value: object, kind: type) -> _Reference:
        outside, self._deepest = self._deepest, 0
        fields = [self._refer(getattr(value, name)) for name in self._fields[kind]]
        reference = _Reference(value, self._numbers[kind], self._deepest + 1, fields)
        self._references[id(value)] = reference
        self._deepest = outside
        return reference

    def _number_groups(self) -> list[list[_Reference]]:
        """Group the objects by depth and class, shallow ones first, and number them in that order."""
        groups: dict[tuple[int, int], list[_Reference]] = {}
        for reference in self._references.values():
            groups.setdefault((reference.depth, reference.kind), []).append(reference)
        ordered = [group for _, group in sorted(groups.items(), key=itemgetter(0))]
        for number, reference in enumerate(reference for group in ordered for reference in group):
            reference.number = number
        return ordered

    def _group(self, group: list[_Reference]) -> Plain:
        columns = zip(*(reference.fields for reference in group), strict=True)
        return group[0].kind, len(group), tuple(_column(column) for column in columns)


def _column(values: tuple[object, ...]) -> Plain:
    if not any(_holds_reference(value) for value in values):
        return _AS_IS, values
    if all(isinstance(value, _Reference) for value in values):
        return _OBJECTS, tuple(value.number for value in values if isinstance(value, _Reference))
    if all(isinstance(value, tuple) and all(isinstance(item, _Reference) for item in value) for value in values):
        tuples = (value for value in values if isinstance(value, tuple))
        return _TUPLES_OF_OBJECTS, tuple(tuple(item.number for item in value) for value in tuples)
    return _MARKED, tuple(_to_marked(value) for value in values)


def _holds_reference(value: object) -> bool:
    if isinstance(value, tuple):
        return any(_holds_reference(item) for item in value)
    if isinstance(value, dict):
        return any(_holds_reference(item) for pair in value.items() for item in pair)
    return isinstance(value, _Reference)


def _to_marked(value: object) -> Plain:
    if not _holds_reference(value):
        return value
    if isinstance(value, _Reference):
        return [_OBJECT, value.number]
    if isinstance(value, dict):
        return [_DICT, [(_to_marked(key), _to_marked(item)) for key, item in value.items()]]
    assert isinstance(value, tuple)  # noqa: S101 - nothing else holds references
    return [_TUPLE, [_to_marked(item) for item in value]]
