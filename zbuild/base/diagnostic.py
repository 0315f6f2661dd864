"""Problems found in build files, gathered so that all are told at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from zbuild.base.errors import BuildFileError

if TYPE_CHECKING:
    from zbuild.base.span import Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: a stable code, what is wrong, where, and what to do about it."""

    code: str
    message: str
    span: Span | None = None
    hint: str = ""
    severity: Severity = "error"


@dataclass(slots=True)
class Diagnostics:
    """Collects the problems of one reading; `check` raises when there is an error among them."""

    items: list[Diagnostic] = field(default_factory=list)

    def error(self, code: str, message: str, span: Span | None = None, hint: str = "") -> None:
        """Add an error."""
        self.items.append(Diagnostic(code, message, span, hint))

    def warning(self, code: str, message: str, span: Span | None = None, hint: str = "") -> None:
        """Add a warning, which does not stop the build."""
        self.items.append(Diagnostic(code, message, span, hint, "warning"))

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The errors alone, in the order found, without repeats."""
        return tuple(dict.fromkeys(item for item in self.items if item.severity == "error"))

    def check_in_order(self) -> None:
        """Put everything in the order of its place, and raise BuildFileError if there are errors."""
        self.items.sort(key=_place)
        self.check()

    def check(self) -> None:
        """Raise BuildFileError with all errors gathered so far, if there are any."""
        if self.errors:
            raise BuildFileError(self.errors)


def _place(item: Diagnostic) -> tuple[str, int, int]:
    return ("", 0, 0) if item.span is None else (item.span.file, item.span.line, item.span.column)
