"""Nodes against `schemas/v1/NAME.schema.json`: every violation becomes a diagnostic with its place.

jsonschema does the checking, by the rules of `schema_rules`; here its findings are put into plain words.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from zbuild.base.diagnostic import MAX_PROBLEMS
from zbuild.base.text import did_you_mean, shortened
from zbuild.resources import data_folder
from zbuild.syntax.nodes import Mapping, Scalar, Sequence, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.syntax.nodes import Node
    from zbuild.syntax.schema_rules import Checker, Violation

_NOTHING: Any = None  # in the place of a module: that it is not there, to the import system
_NOUNS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


@cache
def read_schema(name: str) -> dict[str, Any]:
    """Return a schema that zbuild ships, as JSON holds it; it is shared, so leave it as it is."""
    text = (data_folder("schemas") / "v1" / f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def check_schema(node: Node, name: str, diagnostics: Diagnostics, *, unfinished: bool = False) -> Node | None:
    """Hold a node to a schema and note every violation.

    In an `unfinished` one, texts whose variables are not replaced yet may become anything.

    Returns the node without the parts that are wrong, so that the rest can still be looked at; None when nothing is
    left of it, or so much is wrong that not all was looked at.
    """
    violations = list(islice(_checker(name).violations(node, unfinished=unfinished), MAX_PROBLEMS + 1))
    for violation in _worth_telling(violations):
        code, message, hint = _problem(node, violation)
        diagnostics.error(code, message, _span(node, violation), hint)
    if len(violations) > MAX_PROBLEMS:
        return None
    return _without(node, [violation.path for violation in violations]) if violations else node


@cache
def _checker(name: str) -> Checker:
    with _not_installed("rfc3987_syntax"), _not_installed("isoduration"):
        from zbuild.syntax.schema_rules import Checker  # noqa: PLC0415 - jsonschema takes 50 ms to import

    return Checker(f"{name}.schema.json", lambda file: read_schema(file.removesuffix(".schema.json")))


@contextmanager
def _not_installed(module: str) -> Iterator[None]:
    """Let a module count as not installed while others are imported.

    jsonschema takes along all it finds that knows of formats, which nothing here asks for; one takes seconds to import.
    """
    hidden = sys.modules.setdefault(module, _NOTHING) is _NOTHING
    try:
        yield
    finally:
        if hidden:
            del sys.modules[module]


def _worth_telling(violations: list[Violation]) -> Iterator[Violation]:
    """Leave out that a mapping lacks a key where another of its keys is misspelt, and what follows from one fault."""
    told = {violation.path[:-1] for violation in violations if _suggestion(violation)}
    for violation in violations:
        if violation.keyword not in _LACKS:
            yield violation
        elif violation.path not in told:
            told.add(violation.path)
            yield violation


def _suggestion(violation: Violation) -> str:
    """Return which known key an unknown one may be meant as, if any."""
    if violation.keyword != "additionalProperties":
        return ""
    return did_you_mean(str(violation.path[-1]), violation.schema.get("properties", ()))


def _problem(root: Node, error: Violation) -> tuple[str, str, str]:
    """Return a violation's code, message and hint."""
    tell = _TELLERS.get(error.keyword)
    where = _name(error.path)
    return tell(error, where, _find(root, error.path)) if tell else ("bad-value", f"{where} is wrong", "")


def _name(path: tuple[str | int, ...]) -> str:
    """Return what people call the place at a path."""
    key = next((step for step in reversed(path) if isinstance(step, str)), None)
    if key is None:
        return "the file" if not path else "an item"
    key = shortened(key)
    return f"an item of '{key}'" if isinstance(path[-1], int) else f"'{key}'"


def _wrong_type(error: Violation, where: str, node: Node) -> tuple[str, str, str]:
    value = error.rule
    types = [value] if isinstance(value, str) else value
    nouns = [_NOUNS[name] for name in types if name in _NOUNS]
    if "string" in types:  # numbers and truths are texts, too
        nouns = [noun for noun in nouns if noun not in ("a number", "a whole number", "true or false")]
    return "wrong-type", f"{where} must be {' or '.join(nouns)}, not {kind_of(node)}", ""


def _unknown_key(error: Violation, where: str, _node: Node) -> tuple[str, str, str]:
    hint = _suggestion(error) or f"known here: {', '.join(error.schema.get('properties', ()))}"
    return "unknown-key", f"unknown key {where}", hint


def _missing(error: Violation, where: str, node: Node) -> tuple[str, str, str]:
    names = [name for name in error.rule if name not in (node if isinstance(node, Mapping) else ())]
    return "missing-key", f"{where} needs {_quoted(names, 'and')}", ""


def _missing_too(error: Violation, where: str, node: Node) -> tuple[str, str, str]:
    present = node if isinstance(node, Mapping) else Mapping()
    for key, needed in error.rule.items():
        missing = [name for name in needed if name not in present]
        if key in present and missing:
            return "missing-key", f"'{key}' needs {_quoted(missing, 'and')} beside it", ""
    return "missing-key", f"{where} lacks a key", ""


def _not_one(error: Violation, where: str, node: Node) -> tuple[str, str, str]:
    names = [branch["required"][0] for branch in error.rule]
    present = [name for name in names if isinstance(node, Mapping) and name in node]
    if present:
        return "conflicting-keys", f"{_quoted(present, 'and')} exclude each other", "keep one of them"
    return "missing-key", f"{where} needs one of {_quoted(names, 'or')}", ""


def _not_allowed(error: Violation, where: str, node: Node) -> tuple[str, str, str]:
    words = [str(word) for word in error.rule]
    text = node.text if isinstance(node, Scalar) else ""
    return "bad-value", f"{where} must be {_quoted(words, 'or')}, not '{shortened(text)}'", did_you_mean(text, words)


def _wrong_form(error: Violation, where: str, node: Node) -> tuple[str, str, str]:
    told = f"'{shortened(error.value)}' {error.schema.get('errorMessage', 'has the wrong form')}"
    is_value = isinstance(node, Scalar) and node.text == error.value  # else it is a key
    return "bad-value", f"{where}: {told}" if is_value else told, ""


def _too_small(error: Violation, where: str, _node: Node) -> tuple[str, str, str]:
    return "bad-value", f"{where} must be at least {error.rule}, not {error.value}", ""


def _too_large(error: Violation, where: str, _node: Node) -> tuple[str, str, str]:
    return "bad-value", f"{where} must be at most {error.rule}, not {error.value}", ""


def _too_few(_error: Violation, where: str, _node: Node) -> tuple[str, str, str]:
    return "bad-value", f"{where} must not be empty", ""


_TELLERS: dict[str, Callable[[Violation, str, Node], tuple[str, str, str]]] = {
    "type": _wrong_type,
    "additionalProperties": _unknown_key,
    "required": _missing,
    "dependentRequired": _missing_too,
    "oneOf": _not_one,
    "enum": _not_allowed,
    "pattern": _wrong_form,
    "minimum": _too_small,
    "maximum": _too_large,
    "minItems": _too_few,
    "minProperties": _too_few,
    "minLength": _too_few,
}
SUPPORTED_KEYWORDS = frozenset(_TELLERS) | {"properties", "items", "propertyNames", "$ref"}
"""The keywords that shipped schemas may hold beside annotations: what is told about the others would be poor."""


def _quoted(names: Iterable[str], last: str) -> str:
    words = [f"'{name}'" for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _find(node: Node, path: Iterable[str | int]) -> Node:
    """Return the node at a path, or the last one on the way to it."""
    for step in path:
        if isinstance(node, Sequence) and isinstance(step, int):
            node = node.items[step]
        elif isinstance(node, Mapping):
            node = node.get(str(step)) or node
    return node


def _span(root: Node, error: Violation) -> Span:
    """Return where a violation is shown: at the key for what is wrong with a value, else at the node itself."""
    path = error.path
    node = _find(root, path)
    if error.keyword == "oneOf" and isinstance(node, Mapping):
        names = {branch["required"][0] for branch in error.rule}
        spans = [key.span for key, _ in node.items if key.text in names]
        if len(spans) > 1:
            return spans[1]
    if path and isinstance(path[-1], str) and (error.keyword in _AT_KEY or not isinstance(node, Scalar)):
        parent = _find(root, path[:-1])
        return parent.place(path[-1]) if isinstance(parent, Mapping) else node.span
    return node.span


_LACKS = frozenset({"oneOf", "required", "dependentRequired"})
_AT_KEY = frozenset({"additionalProperties", "propertyNames"})


def _without(node: Node, paths: list[tuple[str | int, ...]]) -> Node | None:
    """Return a node less what is at those paths; None when that is the node itself."""
    if () in paths:
        return None
    if isinstance(node, Scalar):
        return node
    below: dict[str | int, list[tuple[str | int, ...]]] = {}
    for path in paths:
        below.setdefault(path[0], []).append(path[1:])
    if isinstance(node, Sequence):
        kept = [_without(item, below.get(index, [])) for index, item in enumerate(node.items)]
        return Sequence(tuple(item for item in kept if item is not None), node.span)
    pairs = [(key, _without(value, below.get(key.text, []))) for key, value in node.items]
    return Mapping(tuple((key, value) for key, value in pairs if value is not None), node.span)
