"""Problems found in build files, gathered so that all are told at once."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import BuildFileError

if TYPE_CHECKING:
    from zbuild.base.span import Span

Severity = Literal["error", "warning"]

MAX_PROBLEMS = 100
"""As many problems as people can use; looking for more, with a suggestion for each, could take for ever."""


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

    @property
    def full(self) -> bool:
        """Whether it is not worth the time to look for more."""
        looked_at = self.items[: 2 * MAX_PROBLEMS]  # warnings among them do not count, and this must stay cheap
        return sum(item.severity == "error" for item in looked_at) >= MAX_PROBLEMS

    def check_in_order(self) -> None:
        """Put everything in the order of its place, and raise BuildFileError if there are errors.

        Of many errors it tells the first MAX_PROBLEMS, and that there are more.
        """
        self.items.sort(key=_place)
        errors = self.errors
        if len(errors) > MAX_PROBLEMS:
            last = errors[MAX_PROBLEMS]
            more = Diagnostic("too-many-problems", "there are more problems, from here on", last.span)
            raise BuildFileError((*errors[:MAX_PROBLEMS], more))
        self.check()

    def check(self) -> None:
        """Raise BuildFileError with all errors gathered so far, if there are any."""
        if self.errors:
            raise BuildFileError(self.errors)


def _place(item: Diagnostic) -> tuple[str, int, int]:
    return ("", 0, 0) if item.span is None else (item.span.file, item.span.line, item.span.column)
