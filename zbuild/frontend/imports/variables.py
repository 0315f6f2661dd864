"""Compose's `$NAME` and `${NAME:-default}` as variables of a zbuild.yaml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.frontend.imports.emit import variable
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from zbuild.frontend.imports.emit import Imported
    from zbuild.syntax.nodes import Node

# The innermost ones: what stands around them is looked at when they have been turned.
_VARIABLE = re.compile(r"(\$\$)|\$([A-Za-z_]\w*)|\$\{([A-Za-z_]\w*)(?:(:?[-?+])([^{}$]*))?\}", re.ASCII)
_DEEPEST = 10


def interpolated(node: Node, imported: Imported) -> Node:
    """Turn Compose's variables into those of a zbuild.yaml, with their defaults under `vars`."""
    match node:
        case Scalar():
            return Scalar(_Text(node, imported).turned(), node.plain, node.span)
        case Sequence():
            return Sequence(tuple(interpolated(item, imported) for item in node.items), node.span)
    return Mapping(tuple((key, interpolated(value, imported)) for key, value in node.items), node.span)


class _Text:
    """One text. A variable that was turned stands in it between two NULs until all are, and `$$` as a SOH."""

    def __init__(self, node: Scalar, imported: Imported) -> None:
        self._node = node
        self._imported = imported

    def turned(self) -> str:
        text = self._node.text
        for _ in range(_DEEPEST):  # `${A:-${B:-c}}`: from the inside
            turned = _VARIABLE.sub(self._one, text)
            if turned == text:
                break
            text = turned
        if "$" in text:
            self._imported.drop(f"'{self._node.text}', whose variables are not understood,", self._node.span)
        return _final(text)

    def _one(self, match: re.Match[str]) -> str:
        escaped, bare, braced, operator, operand = match.groups()
        if escaped:
            return "\1"
        name = bare or braced
        if operator in ("+", ":+"):
            self._imported.drop(f"'{match[0]}'", self._node.span, "write what is meant")
            return ""
        self._declare(name, operator or "", _final(operand or ""))
        return f"\0{name}\0"

    def _declare(self, name: str, operator: str, operand: str) -> None:
        """Give a variable its default. It has one for all its uses, so that others are noted."""
        made = variable(None, operand) if operator in ("?", ":?") else variable(operand if operator else "")
        known = self._imported.vars.setdefault(name, made)
        if known == variable("") and operator:
            self._imported.vars[name] = made
        if known != made:
            told = self._imported.vars[name].get("default", "")
            message = f"that '{name}' has different defaults"
            self._imported.drop(message, self._node.span, f"it is '{told}' everywhere, unless it is set")


def _final(text: str) -> str:
    text = re.sub("\0(.*?)\0", r"${\1}", text)
    return re.sub("\1(?=\\{)", "$$", text).replace("\1", "$")
