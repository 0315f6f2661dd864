"""A deterministic text for frozen values: one field a line, defaults and places left out."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass


def dump(value: object, indent: str = "") -> str:
    """Return the text of a value, nested values indented."""
    inner = indent + "  "
    if is_dataclass(value) and not isinstance(value, type):
        lines = [f"{inner}{name}: {dump(item, inner)}" for name, item in _told(value)]
        return "\n".join([type(value).__name__, *lines])
    if isinstance(value, tuple) and any(is_dataclass(item) for item in value):
        return "\n".join(["", *(f"{inner}- {dump(item, inner)}" for item in value)])
    return repr(value)


def _told(value: object) -> list[tuple[str, object]]:
    pairs = [(field, getattr(value, field.name)) for field in fields(value)]  # type: ignore[arg-type]
    return [(field.name, item) for field, item in pairs if field.compare and item != _default(field)]


def _default(field) -> object:
    return field.default_factory() if field.default_factory is not MISSING else field.default
