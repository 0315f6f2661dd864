"""Values of variables from outside the build files: the command line's, and the environment's."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import UsageError
from zbuild.base.span import Span
from zbuild.base.text import did_you_mean
from zbuild.syntax.nodes import Mapping

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as Dict

    from zbuild.syntax.nodes import Node


@dataclass(frozen=True, slots=True)
class Given:
    """`variables` of the command line, and the environment.

    `asked` gathers the names of the environment's variables that decided something, set or not.
    """

    variables: Dict[str, str] = field(default_factory=dict)
    environment: Dict[str, str] = field(default_factory=dict)
    asked: dict[str, None] = field(default_factory=dict)
    _declared: dict[str, None] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def text(self, name: str, source: str) -> tuple[str, Span] | None:
        """Return what is given for a variable, and by what; the command line wins.

        `source` is its name in the environment, "" when that is not asked.
        """
        if name in self.variables:
            return self.variables[name], Span(f"--set {name}", 0)
        if not source:
            return None
        self.asked[source] = None
        return (self.environment[source], Span(f"${source}", 0)) if source in self.environment else None

    def note(self, node: Node, texts: Iterable[bytes]) -> None:
        """Note what variables a file has; one that its text only uses may be set on the command line as well."""
        if isinstance(node, Mapping):
            self._declared.update(dict.fromkeys(name.text for name, _ in node.mapping("vars").items))
        whole = b"\n".join(texts) if self.variables else b""
        for name in self.variables:
            if f"${{{name}}}".encode("utf-8", "surrogateescape") in whole:
                self._used.add(name)

    def check(self) -> None:
        """Raise UsageError for a variable of the command line that no build file has or uses."""
        for name in self.variables:
            if name not in self._used and name not in self._declared:
                known = f"the variables are {', '.join(self._declared)}" if self._declared else "there are none"
                hint = did_you_mean(name, self._declared) or known
                raise UsageError("unknown-variable", f"--set {name}: no build file has such a variable", hint=hint)
