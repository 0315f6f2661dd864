"""Runs the rules over a build file."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostic, Diagnostics
from zbuild.base.errors import BuildFileError
from zbuild.base.text import shortened
from zbuild.frontend.dockerfile.parse import read_dockerfile
from zbuild.frontend.lint.choices import LintChoices, parse_choices
from zbuild.frontend.lint.rules import RULES
from zbuild.frontend.lint.subject import Subject, nothing_ignored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zbuild.base.span import Span
    from zbuild.frontend.dockerfile.parse import DockerfileReading
    from zbuild.model.definition import Definition

_MOST_FOUND = 100  # of one rule in one file
_LONGEST_MESSAGE = 250  # characters: names of users are in it


@dataclass(frozen=True, slots=True)
class Linted:
    """A build file that was read and checked.

    `errors` are what keeps it from being built, and then there is no `definition`; `warnings` what the rules found,
    in the order of the file. `strict`: findings count as errors (`# check=error=true`).
    """

    file: str
    definition: Definition | None
    errors: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    strict: bool = False

    def accepted(self) -> Definition:
        """Return the definition. Raises BuildFileError with the errors, and with the findings where they count."""
        refused = self.errors + tuple(replace(item, severity="error") for item in self.warnings if self.strict)
        if self.definition is None or refused:
            raise BuildFileError(refused)
        return self.definition


def lint_dockerfile(
    data: bytes,
    file: str,
    choices: LintChoices | None = None,
    ignored: Callable[[str], bool] = nothing_ignored,
) -> Linted:
    """Read a Dockerfile and check it. What its `check` directive says is added to `choices`."""
    problems = Diagnostics()
    reading = read_dockerfile(data, file, problems)
    choices = (choices or LintChoices()).joined(_directive(reading, problems))
    definition = None if problems.errors else reading.definition
    subject = Subject(definition, reading.statements, _comments(data, reading), ignored)
    return Linted(file, definition, problems.errors, _found(subject, choices), choices.error)


def lint_definition(
    definition: Definition,
    choices: LintChoices | None = None,
    ignored: Callable[[str], bool] = nothing_ignored,
) -> Linted:
    """Check what a ZImagefile defines, by the rules that are about more than how a Dockerfile is written."""
    choices = choices or LintChoices()
    found = _found(Subject(definition, ignored=ignored), choices)
    return Linted(definition.file, definition, warnings=found, strict=choices.error)


def _found(subject: Subject, choices: LintChoices) -> tuple[Diagnostic, ...]:
    """Return what the rules find, without repeats, in the order of the file."""
    found: dict[Diagnostic, None] = {}
    for rule in RULES:
        if choices.wants(rule.name, experimental=rule.experimental):
            for span, message in islice(rule.check(subject), _MOST_FOUND):
                text = shortened(message, _LONGEST_MESSAGE)
                found[Diagnostic(rule.name, text, span, f"see {rule.url}", rule.severity)] = None
    return tuple(sorted(found, key=_place))


def _place(item: Diagnostic) -> tuple[str, int, int]:
    span: Span | None = item.span
    return (span.file, span.line, span.column) if span else ("", 0, 0)


def _directive(reading: DockerfileReading, problems: Diagnostics) -> LintChoices:
    text, span = reading.directives.get("check", ("", None))
    if span is None:
        return LintChoices()
    try:
        return parse_choices(text)
    except ValueError as error:
        hint = "write # check=skip=RULE,RULE;error=true"
        problems.error("bad-directive", str(error), span, hint)
        return LintChoices()


def _comments(data: bytes, reading: DockerfileReading) -> tuple[tuple[int, str], ...]:
    """Return the comments that stand right above a FROM or an ARG, each with the line of that."""
    directives = {span.line for _, span in reading.directives.values()}
    lines: Sequence[str] = data.decode("utf-8", "replace").split("\n")
    found = []
    for statement in reading.statements:
        above = statement.span.line - 1
        if statement.keyword in ("FROM", "ARG") and above > 0 and above not in directives:
            line = lines[above - 1].strip()
            if line.startswith("#"):
                found.append((above + 1, line[1:].strip()))
    return tuple(found)
