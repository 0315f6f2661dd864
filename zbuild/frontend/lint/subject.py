"""What the rules look at: one build file, as it was written and as it was understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbuild.base.span import Span
    from zbuild.frontend.dockerfile.statement import Statement
    from zbuild.model.definition import Definition, Stage

Found: TypeAlias = "tuple[Span, str]"
"""Something that a rule found: where it is, and what is to be said of it."""

Check: TypeAlias = "Callable[[Subject], Iterator[Found]]"


def nothing_ignored(_path: str) -> bool:
    """Say that no ignore file leaves a path out."""
    return False


@dataclass(frozen=True, slots=True)
class Subject:
    """One build file. A ZImagefile has no `statements`; a file that cannot be understood has no `definition`.

    `comments` maps the line of each instruction to the comment right above it, directives not counted. `ignored`
    says whether the ignore file of the context leaves a path out.
    """

    definition: Definition | None = None
    statements: tuple[Statement, ...] = ()
    comments: tuple[tuple[int, str], ...] = ()
    ignored: Callable[[str], bool] = nothing_ignored

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages, none where the file could not be understood."""
        return self.definition.stages if self.definition else ()

    def stage_names(self) -> Iterator[tuple[str, Span]]:
        """Yield the names of stages as they were written, and where their stages begin."""
        if not self.statements:
            yield from ((stage.name, stage.span) for stage in self.stages if stage.name)
        for statement in self.named("FROM"):
            words = statement.arguments.split()
            if len(words) == 3:  # noqa: PLR2004 - base, AS, name
                yield words[2], statement.span

    def named(self, *keywords: str) -> Iterator[Statement]:
        """Yield the statements with one of these keywords."""
        return (statement for statement in self.statements if statement.keyword in keywords)
