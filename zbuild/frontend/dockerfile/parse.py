"""Dockerfile to IR: the one entrance of this package."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostics
from zbuild.base.span import Span
from zbuild.frontend.dockerfile import settings
from zbuild.frontend.dockerfile.instructions import INSTRUCTIONS, refuse_unknown
from zbuild.frontend.dockerfile.lexer import Lexer
from zbuild.frontend.dockerfile.stages import parse_from
from zbuild.frontend.dockerfile.triggers import onbuild
from zbuild.model.definition import Definition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.frontend.dockerfile.instructions import Read
    from zbuild.frontend.dockerfile.statement import Statement
    from zbuild.model.definition import Stage
    from zbuild.model.ops import Arg, Op

MAX_PROBLEMS = 100
"""After so many problems reading stops: the file is something else."""

_INSTRUCTIONS: Mapping[str, Read] = {**INSTRUCTIONS, "ONBUILD": onbuild}


@dataclass(frozen=True, slots=True)
class DockerfileReading:
    """A Dockerfile as it was read: what it defines, its statements, and its directives with their places.

    When there were errors, parts of the definition are missing.
    """

    definition: Definition
    statements: tuple[Statement, ...]
    directives: Mapping[str, tuple[str, Span]]


def parse_dockerfile(data: bytes, file: str) -> Definition:
    """Parse a Dockerfile or Containerfile; `file` is its path as shown to people.

    The definition holds words as they are written: nothing is expanded, and stages are not resolved. Raises
    BuildFileError with every problem found.
    """
    problems = Diagnostics()
    definition = read_dockerfile(data, file, problems).definition
    problems.check()
    return definition


def read_dockerfile(data: bytes, file: str, problems: Diagnostics) -> DockerfileReading:
    """Read a Dockerfile as `parse_dockerfile` does, and note what is wrong in `problems`."""
    lexer = Lexer(data, file, problems)
    parser = _Parser(problems)
    statements: list[Statement] = []
    for statement in lexer.statements():
        statements.append(statement)
        parser.take(statement)
        if len(problems.items) >= MAX_PROBLEMS:
            problems.error("too-many-problems", "reading stopped here", statement.span)
            break
    return DockerfileReading(parser.definition(file, lexer.escape), tuple(statements), lexer.directives)


class _Parser:
    """Gathers statements into stages."""

    def __init__(self, problems: Diagnostics) -> None:
        self._problems = problems
        self._args: list[Arg] = []
        self._stages: list[Stage] = []
        self._ops: list[list[Op]] = []
        self._seen = False

    def take(self, statement: Statement) -> None:
        """Read one statement; what is wrong with it is reported."""
        keyword = statement.keyword
        if keyword == "FROM":
            self._begin_stage(statement)
        elif keyword not in _INSTRUCTIONS:
            refuse_unknown(statement, self._problems)
        elif self._stages:
            self._ops[-1] += _INSTRUCTIONS[keyword](statement, self._problems)
        elif keyword == "ARG":
            self._args += settings.arg(statement, self._problems)
        elif not self._seen:
            message = f"{keyword} stands before the first FROM, where only ARG may"
            self._problems.error("before-from", message, statement.span)
        self._seen = self._seen or keyword != "ARG"

    def definition(self, file: str, escape: str) -> Definition:
        """Return what was read; a file without any FROM is reported."""
        if not self._stages and not self._seen:
            what = "no FROM" if self._args else "no instructions"
            self._problems.error("no-from", f"the file has {what}", Span(file, 1), "a Dockerfile begins with FROM base")
        stages = (replace(stage, ops=tuple(ops)) for stage, ops in zip(self._stages, self._ops, strict=True))
        return Definition(file, tuple(stages), tuple(self._args), escape)

    def _begin_stage(self, statement: Statement) -> None:
        stage = parse_from(statement, self._problems)
        self._stages.append(stage)
        self._ops.append([])
