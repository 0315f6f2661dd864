"""FROM: the beginning of a stage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.frontend.dockerfile.arguments import fields
from zbuild.frontend.dockerfile.flags import read_flags
from zbuild.model.definition import NamedBase, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.frontend.dockerfile.flags import FlagKind
    from zbuild.frontend.dockerfile.statement import Statement

_FROM_FLAGS: Mapping[str, FlagKind] = {"platform": "text"}
_STAGE_NAME = re.compile("[a-z][a-z0-9_.-]*")


def parse_from(statement: Statement, problems: Diagnostics) -> Stage:
    """Read FROM [--platform=…] base [AS name]; the stage, still without instructions, is lower-cased in its name."""
    flags = read_flags(statement, _FROM_FLAGS, problems)
    words = fields(statement.arguments)
    match words:
        case [base]:
            name = ""
        case [base, keyword, name] if keyword.upper() == "AS":
            name = _stage_name(name, statement, problems)
        case _:
            base = name = ""
            code = "bad-argument" if words else "missing-argument"
            problems.error(code, "FROM is written FROM base, or FROM base AS name", statement.span)
    return Stage(name, NamedBase(base, statement.arguments_span), (), flags.text("platform"), statement.span)


def _stage_name(written: str, statement: Statement, problems: Diagnostics) -> str:
    name = written.lower()
    if not _STAGE_NAME.fullmatch(name):
        hint = "a stage's name begins with a letter, and goes on with letters, digits, '-', '_' or '.'"
        problems.error("bad-stage-name", f"'{written[:40]}' cannot name a stage", statement.span, hint)
    return name
