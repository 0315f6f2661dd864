"""ONBUILD: an instruction that is stored, for the stages that will be built upon this one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic, Diagnostics
from zbuild.base.errors import BuildFileError
from zbuild.frontend.dockerfile.flags import NO_FLAGS, read_flags
from zbuild.frontend.dockerfile.instructions import INSTRUCTIONS, refuse_unknown
from zbuild.frontend.dockerfile.lexer import Lexer
from zbuild.model.ops import Onbuild

if TYPE_CHECKING:
    from zbuild.base.span import Span
    from zbuild.frontend.dockerfile.statement import Statement
    from zbuild.model.ops import Op

_FORBIDDEN = ("ONBUILD", "FROM", "MAINTAINER")
_SHOWN = 60


def onbuild(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """ONBUILD instruction: checked here, and kept as it is written, with its here-documents."""
    read_flags(statement, NO_FLAGS, problems)
    if not statement.arguments:
        problems.error("missing-argument", "ONBUILD needs an instruction", statement.span)
        return ()
    documents = (f"\n{heredoc.content}{heredoc.name}" for heredoc in statement.heredocs)
    text = statement.arguments + "".join(documents)
    _, found = _read(text, statement.span.file)
    problems.items += [replace(item, span=statement.arguments_span) for item in found.items]
    return (Onbuild(text, statement.span),)


def parse_trigger(text: str, span: Span) -> tuple[Op, ...]:
    """Parse what ONBUILD stored, for a stage built upon it; all places are that stage's `span`.

    The escape character is a backslash, whatever the file's own, as in BuildKit. Raises BuildFileError.
    """
    ops, problems = _read(text, span.file)
    if problems.errors:
        shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
        before = f"the base's instruction 'ONBUILD {shown}' cannot be used"
        told = [Diagnostic(item.code, f"{before}: {item.message}", span, item.hint) for item in problems.errors]
        raise BuildFileError(told)
    return tuple(replace(op, span=span) for op in ops)


def _read(text: str, file: str) -> tuple[list[Op], Diagnostics]:
    problems = Diagnostics()
    ops: list[Op] = []
    for statement in Lexer(text.encode("utf-8", "surrogateescape"), file, problems).statements():
        if statement.keyword in _FORBIDDEN:
            problems.error("bad-trigger", f"{statement.keyword} cannot stand behind ONBUILD", statement.span)
        elif statement.keyword not in INSTRUCTIONS:
            refuse_unknown(statement, problems)
        else:
            ops += INSTRUCTIONS[statement.keyword](statement, problems)
    return ops, problems
