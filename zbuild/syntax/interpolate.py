"""`${NAME}` in the texts of a zbuild.yaml, from its `vars` and from `--set`.

`$${` stands for `${`. Anything else with a dollar is left as it is. Build files' own `${ARG}`s are another matter: they
are words, expanded when the image is built (`syntax.words`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import BuildFileError
from zbuild.base.text import did_you_mean
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.syntax.nodes import Node

MAX_CHARACTERS = 16 * 1024 * 1024
"""What interpolation may make of one file, in all: variables that repeat variables would fill the memory."""

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?")


def resolve_variables(
    own: Mapping, inherited: Dict[str, str], overrides: Dict[str, str], diagnostics: Diagnostics
) -> dict[str, str]:
    """Return the variables of a file: what it inherits, then its own `vars`, then what the command line sets.

    A variable may use those before it, and the value of its own name that it inherits. Using a later one, itself or
    an unknown one is noted as an error. Raises BuildFileError for more text than is sane.
    """
    work = _Interpolation({**inherited, **overrides}, diagnostics)
    pairs = [(key, value) for key, value in own.pairs() if key.text not in overrides]
    work.coming = {key.text for key, _ in pairs} - inherited.keys()
    for key, value in pairs:
        work.defining = key.text
        text = work.text(value)
        work.coming.discard(key.text)
        work.values[key.text] = text
    return work.values


def interpolate(node: Node, values: Dict[str, str], diagnostics: Diagnostics, *, lenient: bool = False) -> Node:
    """Return a node with the variables in its values (not its keys) replaced.

    Unknown ones are noted as errors or, if `lenient`, left as they stand: there they may be build arguments.
    Raises BuildFileError for more text than is sane.
    """
    return _Interpolation(dict(values), diagnostics, lenient=lenient).node(node)


class _Interpolation:
    """Replaces variables. `coming` are names that are defined later, `defining` the one that is defined now."""

    def __init__(self, values: dict[str, str], diagnostics: Diagnostics, *, lenient: bool = False) -> None:
        self.values = values
        self.coming: set[str] = set()
        self.defining = ""
        self._diagnostics = diagnostics
        self._lenient = lenient
        self._made = 0

    def node(self, node: Node) -> Node:
        if isinstance(node, Scalar):
            return Scalar(self.text(node), node.plain, node.span) if "${" in node.text else node
        if isinstance(node, Sequence):
            return Sequence(tuple(self.node(item) for item in node.items), node.span)
        return Mapping(tuple((key, self.node(value)) for key, value in node.items), node.span)

    def text(self, scalar: Scalar) -> str:
        parts: list[str] = []
        at = 0
        for match in _REFERENCE.finditer(scalar.text):
            parts += scalar.text[at : match.start()], self._value(match, scalar.span)
            at = match.end()
            self._count(len(parts[-1]), scalar.span)
        return "".join(parts) + scalar.text[at:]

    def _count(self, length: int, span: Span) -> None:
        self._made += length
        if self._made > MAX_CHARACTERS:
            message = f"the variables come to more than {MAX_CHARACTERS} characters here"
            raise BuildFileError([Diagnostic("too-large", message, span)])

    def _value(self, match: re.Match[str], span: Span) -> str:
        name = match[1]
        if match[0] == "$${":
            return "${"
        if name in self.values and name not in self.coming:
            return self.values[name]
        if not self._lenient:
            self._refuse(name, span)
        return match[0]

    def _refuse(self, name: str | None, span: Span) -> None:
        if self._diagnostics.full:
            return
        if name is None:
            message = "'${' begins a variable here, and no name with a '}' follows it"
            self._diagnostics.error("bad-variable", message, span, "write '$${' for the two characters themselves")
        elif name == self.defining and name in self.coming:
            self._diagnostics.error("variable-cycle", f"the variable '{name}' is made of itself", span)
        elif name in self.coming:
            message = f"the variable '{name}' comes after '{self.defining}', which uses it"
            self._diagnostics.error("variable-order", message, span, "a variable may use those before it")
        else:
            hint = did_you_mean(name, self.values) or "define it under 'vars', or write '$${' for a plain '${'"
            self._diagnostics.error("unknown-variable", f"there is no variable '{name}'", span, hint)
