"""Rules about how a Dockerfile is written: they look at statements, and hold for a file with faults, too."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from zbuild.base.span import Span
from zbuild.frontend.dockerfile.arguments import BLANKS, quoted_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zbuild.frontend.dockerfile.statement import Statement
    from zbuild.frontend.lint.subject import Found, Subject

_RESERVED_NAMES = frozenset({"context", "scratch"})
_LAST_ONE_COUNTS = ("CMD", "ENTRYPOINT", "HEALTHCHECK")


def stage_name_casing(subject: Subject) -> Iterator[Found]:
    """Find stage names with capital letters."""
    for name, span in subject.stage_names():
        if name != name.lower():
            yield span, f"the stage name '{name}' should be in lower case"


def from_as_casing(subject: Subject) -> Iterator[Found]:
    """Find `FROM … as`, and `from … AS`; a mixed `From` is for another rule."""
    for statement in subject.named("FROM"):
        words = BLANKS.split(statement.arguments)
        keyword = statement.written
        wanted = str.lower if keyword == keyword.lower() else str.upper
        if len(words) > 2 and keyword == wanted(keyword) and words[1] != wanted(words[1]):  # noqa: PLR2004 - base AS
            yield statement.span, f"'{keyword}' and '{words[1]}' differ in their case"


def no_empty_continuation(subject: Subject) -> Iterator[Found]:
    """Find empty lines inside an instruction."""
    for statement in subject.statements:
        if statement.empty_line:
            span = Span(statement.span.file, statement.empty_line)
            yield span, f"an empty line in the middle of {statement.written}; builders will refuse it some day"


def consistent_instruction_casing(subject: Subject) -> Iterator[Found]:
    """Find instructions that are not in the case that most have; ARGs before the first FROM are not looked at."""
    statements = list(_in_stages(subject.statements))
    lower = sum(statement.written == statement.written.lower() for statement in statements)
    upper = sum(statement.written == statement.keyword for statement in statements)
    wanted, name = (str.lower, "lower") if lower > upper else (str.upper, "upper")
    for statement in statements:
        if statement.written != wanted(statement.written):
            yield statement.span, f"'{statement.written}' should be in {name} case, like most instructions here"


def duplicate_stage_name(subject: Subject) -> Iterator[Found]:
    """Find stages with the name of an earlier one."""
    seen: set[str] = set()
    for name, span in subject.stage_names():
        if name.lower() in seen:
            yield span, f"another stage is called '{name}', too"
        seen.add(name.lower())


def reserved_stage_name(subject: Subject) -> Iterator[Found]:
    """Find stages called like something that is there already."""
    for name, span in subject.stage_names():
        if name.lower() in _RESERVED_NAMES:
            yield span, f"'{name}' has a meaning of its own and should not name a stage"


def maintainer_deprecated(subject: Subject) -> Iterator[Found]:
    """Find MAINTAINER."""
    for statement in subject.named("MAINTAINER"):
        yield statement.span, "MAINTAINER is deprecated; use the label org.opencontainers.image.authors"


def multiple_instructions_disallowed(subject: Subject) -> Iterator[Found]:
    """Find instructions that a later one of their stage makes void; they are reported, not the later one."""
    for stage in _by_stage(subject.statements):
        for keyword in _LAST_ONE_COUNTS:
            same = [statement for statement in stage if statement.keyword == keyword]
            for void, later in pairwise(same):
                line = later.span.line
                yield void.span, f"only the last {keyword} of a stage counts, and there is another one in line {line}"


def legacy_key_value_format(subject: Subject) -> Iterator[Found]:
    """Find `ENV name value` and `LABEL name value`."""
    for statement in subject.named("ENV", "LABEL"):
        words = quoted_words(statement.arguments, statement.escape)
        if words and "=" not in words[0]:
            keyword = statement.written
            yield statement.span, f"write '{keyword} name=value'; '{keyword} name value' is the old form"


def invalid_definition_description(subject: Subject) -> Iterator[Found]:
    """Find comments right above a named stage or an ARG that do not begin with its name."""
    comments = dict(subject.comments)
    for statement in subject.named("FROM", "ARG"):
        comment = comments.get(statement.span.line, "")
        names = _defined_names(statement)
        if comment and names and comment.split(" ")[0] not in names:
            name = names[0] if len(names) == 1 else "NAME"
            yield statement.span, f"the comment above {statement.keyword} should be '# {name} what it is for'"


def _defined_names(statement: Statement) -> list[str]:
    if statement.keyword == "ARG":
        words = quoted_words(statement.arguments, statement.escape)
        return [word.partition("=")[0] for word in words]
    parts = BLANKS.split(statement.arguments)
    return [parts[2].lower()] if len(parts) == 3 else []  # noqa: PLR2004 - base, AS, name


def _in_stages(statements: Iterable[Statement]) -> Iterator[Statement]:
    return (statement for stage in _by_stage(statements) for statement in stage)


def _by_stage(statements: Iterable[Statement]) -> list[list[Statement]]:
    """Return the statements of each stage, its FROM first."""
    stages: list[list[Statement]] = []
    for statement in statements:
        if statement.keyword == "FROM":
            stages.append([])
        if stages:
            stages[-1].append(statement)
    return stages
