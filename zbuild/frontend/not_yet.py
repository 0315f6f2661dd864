"""What the formats have and zbuild does not do yet: refused by name, or told to be ignored, never passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.syntax.nodes import Scalar

if TYPE_CHECKING:
    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.syntax.nodes import Mapping, Node

_REFUSED = frozenset({"squash"})


def refuse_keys(node: Mapping, diagnostics: Diagnostics) -> None:
    """Note an error for every key of an image that zbuild cannot honour yet."""
    for key, value in node.items:
        if key.text in _REFUSED and not _is_off(value):
            refuse(f"'{key.text}'", key.span, diagnostics)


def refuse(what: str, span: Span, diagnostics: Diagnostics) -> None:
    """Note an error for one thing that zbuild cannot honour yet; `what` is as people read it."""
    diagnostics.error("not-yet", f"{what} is not supported yet", span)


def _is_off(value: Node) -> bool:
    """Say whether a value only says what zbuild does anyway (`squash: false`)."""
    return isinstance(value, Scalar) and value.boolean is False
