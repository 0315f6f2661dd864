"""`${NAME}` in the texts of a zbuild.yaml, from its `vars` and from `--set`.

`$${` stands for `${`. Anything else with a dollar is left as it is. A variable that is a list can only be a whole
value: it puts that list in its place. Build files' own `${ARG}`s are another matter: they are words, expanded when the
image is built (`syntax.words`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import BuildFileError
from zbuild.base.text import did_you_mean
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from collections.abc import Mapping as Dict

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.syntax.nodes import Node

MAX_CHARACTERS = 16 * 1024 * 1024
"""What interpolation may make of one file, in all: variables that repeat variables would fill the memory."""

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?")

Value: TypeAlias = "str | tuple[str, ...]"
"""What a variable is: a text, or a list of texts."""


class Plain(str):
    """A number or a truth, which it is also where the variable stands in quotes (and `{ }` need them)."""

    __slots__ = ()


@dataclass(slots=True)
class Budget:
    """How many characters interpolation has made so far, of one file."""

    made: int = 0

    def take(self, length: int, span: Span) -> None:
        """Count what was made. Raises BuildFileError for more than is sane."""
        self.made += length
        if self.made > MAX_CHARACTERS:
            message = f"the variables come to more than {MAX_CHARACTERS} characters here"
            raise BuildFileError([Diagnostic("too-large", message, span)])


def value_of(node: Node) -> Value:
    """Return what a variable is that a node gives: its text, or its list's texts; nothing counts as the empty text."""
    if isinstance(node, Sequence):
        return tuple(item.text for item in node.items if isinstance(item, Scalar))
    return "" if isinstance(node, Mapping) or node.is_null else node.text


def resolve_variables(
    own: Mapping,
    inherited: Dict[str, Value],
    overrides: Dict[str, Value],
    diagnostics: Diagnostics,
    settle: Callable[[Scalar, Node], Value] | None = None,
) -> dict[str, Value]:
    """Return the variables of a file: what it inherits, then its own, then what the command line sets.

    A variable may use those before it, and the value of its own name that it inherits. Using a later one, itself or
    an unknown one is noted as an error. `settle` makes the value of a name of what it is given, once its variables
    are replaced. Raises BuildFileError for more text than is sane.
    """
    work = _Interpolation({**inherited, **overrides}, diagnostics, Budget())
    pairs = [(key, value) for key, value in own.items if key.text not in overrides]
    work.coming = {key.text for key, _ in pairs} - inherited.keys()
    for key, value in pairs:
        work.defining = key.text
        node = work.node(value)
        work.coming.discard(key.text)
        work.values[key.text] = settle(key, node) if settle else value_of(node)
    return work.values


def interpolate(
    node: Node,
    values: Dict[str, Value],
    diagnostics: Diagnostics,
    *,
    lenient: bool = False,
    budget: Budget | None = None,
    partial: Collection[str] = (),
) -> Node:
    """Return a node with the variables in its values (not its keys) replaced.

    Unknown ones are noted as errors or, if `lenient`, left as they stand: there they may be build arguments. `partial`
    are names that other combinations of a matrix have. Raises BuildFileError for more text than is sane, all that
    counts on one `budget` taken together.
    """
    return _Interpolation(dict(values), diagnostics, budget or Budget(), lenient=lenient, partial=partial).node(node)


class _Interpolation:
    """Replaces variables. `coming` are names that are defined later, `defining` the one that is defined now."""

    def __init__(
        self,
        values: dict[str, Value],
        diagnostics: Diagnostics,
        budget: Budget,
        *,
        lenient: bool = False,
        partial: Collection[str] = (),
    ) -> None:
        self.values = values
        self.coming: set[str] = set()
        self.defining = ""
        self._diagnostics = diagnostics
        self._budget = budget
        self._lenient = lenient
        self._partial = partial

    def node(self, node: Node) -> Node:
        if isinstance(node, Scalar):
            return self._scalar(node) if "${" in node.text else node
        if isinstance(node, Sequence):
            return Sequence(tuple(self.node(item) for item in node.items), node.span)
        return Mapping(tuple((key, self.node(value)) for key, value in node.items), node.span)

    def _scalar(self, scalar: Scalar) -> Node:
        whole = _REFERENCE.fullmatch(scalar.text)
        value = self.values.get(whole[1]) if whole and whole[1] not in self.coming else None
        if isinstance(value, tuple):
            self._budget.take(sum(map(len, value)), scalar.span)
            return Sequence(tuple(Scalar(item, scalar.plain, scalar.span) for item in value), scalar.span)
        return Scalar(self._text(scalar), scalar.plain or isinstance(value, Plain), scalar.span)

    def _text(self, scalar: Scalar) -> str:
        parts: list[str] = []
        at = 0
        for match in _REFERENCE.finditer(scalar.text):
            parts += scalar.text[at : match.start()], self._value(match, scalar.span)
            at = match.end()
            self._budget.take(len(parts[-1]), scalar.span)
        return "".join(parts) + scalar.text[at:]

    def _value(self, match: re.Match[str], span: Span) -> str:
        name = match[1]
        if match[0] == "$${":
            return "${"
        if name in self.values and name not in self.coming:
            value = self.values[name]
            return value if isinstance(value, str) else self._refuse_list(name, span)
        if not self._lenient or name in self._partial:
            self._refuse(name, span)
        return match[0]

    def _refuse_list(self, name: str, span: Span) -> str:
        message = f"the variable '{name}' is a list, which cannot stand inside a text"
        hint = f"write '${{{name}}}' alone, as the whole value of a key"
        self._diagnostics.error("list-in-text", message, span, hint)
        return ""

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
        elif name in self._partial:
            message = f"the variable '{name}' is not in every combination of the matrix"
            self._diagnostics.error("unknown-variable", message, span, "define it under 'vars' for the others")
        else:
            hint = did_you_mean(name, self.values) or "define it under 'vars', or write '$${' for a plain '${'"
            self._diagnostics.error("unknown-variable", f"there is no variable '{name}'", span, hint)
