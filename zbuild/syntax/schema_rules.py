"""jsonschema, made to fit build files: scalars that are what the schema wants, one error for each key, and speed.

Scalars are given to jsonschema as texts that also count as a number or a truth where they look like one, so that the
schema alone decides what a field takes. jsonschema makes a new validator for each value it looks at, which would be
most of the time it takes to read a large workspace: here one is made for each part of the schema.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from zbuild.base.dataclass import dataclass
from zbuild.syntax.nodes import Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jsonschema.protocols import Validator

    from zbuild.syntax.nodes import Node

Json: TypeAlias = Any
"""What jsonschema takes and gives: dicts, lists and texts."""
Schema: TypeAlias = "dict[str, Json]"
Errors: TypeAlias = "Iterator[ValidationError]"

_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a value breaks: `keyword` and its `rule` in `schema`, and the path of the value (`value` itself)."""

    keyword: str
    rule: Json
    schema: Schema
    path: tuple[str | int, ...]
    value: Json


class _Text(str):
    """A scalar as jsonschema sees it: equal to its text, and knowing what else it may be."""

    __slots__ = ("node",)
    node: Scalar


class _Open(str):
    """A scalar whose variables are not replaced yet: it may become anything, so no rule is held against it."""

    __slots__ = ()


class Checker:
    """Holds values to the schema in `file`; `read` gives it, and those its `$ref`s name (`FILE#/$defs/NAME`)."""

    def __init__(self, file: str, read: Callable[[str], Schema]) -> None:
        self._validator = _Rules(read).validator(file, read(file))

    def violations(self, node: Node, *, unfinished: bool = False) -> Iterator[Violation]:
        """Yield every violation, in the schema's order; `unfinished` nodes have variables in them."""
        for error in self._validator.iter_errors(_plain(node, unfinished=unfinished)):
            schema = error.schema if isinstance(error.schema, dict) else {}
            yield Violation(
                str(error.validator), error.validator_value, schema, tuple(error.absolute_path), error.instance
            )


def _plain(node: Node, *, unfinished: bool) -> Json:
    if isinstance(node, Scalar):
        if unfinished and "${" in node.text:
            return _Open(node.text)
        text = _Text(node.text)
        text.node = node
        return text
    if isinstance(node, Mapping):
        return {key.text: _plain(value, unfinished=unfinished) for key, value in node.items}
    return [_plain(item, unfinished=unfinished) for item in node.items]


def _is_string(_checker: object, value: Json) -> bool:
    # Names of properties are bare texts.
    return isinstance(value, str) and not (isinstance(value, _Text) and value.node.is_null)


def _is_null(_checker: object, value: Json) -> bool:
    return isinstance(value, _Text) and value.node.is_null


def _is_integer(_checker: object, value: Json) -> bool:
    return isinstance(value, _Text) and value.node.integer is not None


def _is_number(_checker: object, value: Json) -> bool:
    return isinstance(value, _Text) and value.node.plain and _NUMBER.fullmatch(value) is not None


def _is_boolean(_checker: object, value: Json) -> bool:
    return isinstance(value, _Text) and value.node.boolean is not None


_TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {"string": _is_string, "null": _is_null, "integer": _is_integer, "number": _is_number, "boolean": _is_boolean}
)


class _Rules:
    """The keywords that go down into values, with one validator for each part of the schemas."""

    def __init__(self, read: Callable[[str], Schema]) -> None:
        self._read = read
        self._made: dict[int, Validator] = {}
        self._files: dict[int, str] = {}
        rules = {
            "properties": self._properties,
            "additionalProperties": self._additional,
            "propertyNames": self._names,
            "items": self._items,
            "oneOf": self._one_of,
            "$ref": self._reference,
            "minimum": _minimum,
            "maximum": _maximum,
        }
        self._type: type[Draft202012Validator] = extend(  # type: ignore[no-untyped-call] # the stubs leave it out
            Draft202012Validator, validators=rules, type_checker=_TYPES
        )

    def validator(self, file: str, schema: Schema) -> Validator:
        found = self._made.get(id(schema))
        if found is None:
            found = self._made[id(schema)] = self._type(schema)
            self._files[id(schema)] = file
        return found

    def _down(self, parent: Schema, schema: Schema, value: Json, step: str | int | None = None) -> Errors:
        if isinstance(value, _Open):
            return
        for error in self.validator(self._files[id(parent)], schema).iter_errors(value):
            if step is not None:
                error.path.appendleft(step)
            yield error

    def _properties(self, _validator: Validator, properties: Schema, value: Json, schema: Schema) -> Errors:
        if isinstance(value, dict):
            for name in value:
                if name in properties:
                    yield from self._down(schema, properties[name], value[name], name)

    def _additional(self, _validator: Validator, rule: Json, value: Json, schema: Schema) -> Errors:
        if not isinstance(value, dict):
            return
        known = schema.get("properties", ())
        for name in value:
            if name in known:
                continue
            if isinstance(rule, dict):
                yield from self._down(schema, rule, value[name], name)
            elif not rule:
                yield ValidationError("unknown key", path=[name])

    def _names(self, _validator: Validator, names: Schema, value: Json, schema: Schema) -> Errors:
        if isinstance(value, dict):
            for name in value:
                yield from self._down(schema, names, name, name)

    def _items(self, _validator: Validator, items: Schema, value: Json, schema: Schema) -> Errors:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._down(schema, items, item, index)

    def _one_of(self, _validator: Validator, branches: list[Schema], value: Json, schema: Schema) -> Errors:
        if not isinstance(value, dict):
            return
        fitting = [branch for branch in branches if next(self._down(schema, branch, value), None) is None]
        if len(fitting) != 1:
            yield ValidationError("not exactly one")

    def _reference(self, _validator: Validator, reference: str, value: Json, schema: Schema) -> Errors:
        file, _, name = reference.partition("#/$defs/")
        file = file or self._files[id(schema)]
        part = self._read(file)["$defs"][name]
        yield from self.validator(file, part).iter_errors(value)


def _minimum(validator: Validator, least: int, value: Json, _schema: Schema) -> Errors:
    if validator.is_type(value, "integer") and isinstance(value, str) and int(value) < least:
        yield ValidationError("too small")


def _maximum(validator: Validator, most: int, value: Json, _schema: Schema) -> Errors:
    if validator.is_type(value, "integer") and isinstance(value, str) and int(value) > most:
        yield ValidationError("too large")
