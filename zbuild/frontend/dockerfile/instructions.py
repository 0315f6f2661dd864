"""Which instructions there are, FROM and ONBUILD apart, and what reads each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.text import did_you_mean
from zbuild.frontend.dockerfile import commands, files, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.frontend.dockerfile.statement import Statement
    from zbuild.model.ops import Op

    Read: TypeAlias = Callable[[Statement, Diagnostics], tuple[Op, ...]]

INSTRUCTIONS: Mapping[str, Read] = {
    "ADD": files.add,
    "ARG": settings.arg,
    "CMD": commands.cmd,
    "COPY": files.copy,
    "ENTRYPOINT": commands.entrypoint,
    "ENV": settings.env,
    "EXPOSE": settings.expose,
    "HEALTHCHECK": commands.healthcheck,
    "LABEL": settings.label,
    "MAINTAINER": settings.maintainer,
    "RUN": commands.run,
    "SHELL": commands.shell,
    "STOPSIGNAL": settings.stopsignal,
    "USER": settings.user,
    "VOLUME": settings.volume,
    "WORKDIR": settings.workdir,
}
_LONGEST_KEYWORD = 20


def refuse_unknown(statement: Statement, problems: Diagnostics) -> None:
    """Report an instruction that there is not."""
    known = ("FROM", "ONBUILD", *INSTRUCTIONS)
    hint = did_you_mean(statement.keyword, known) if len(statement.written) <= _LONGEST_KEYWORD else ""
    message = f"there is no instruction '{statement.written[:40]}'"
    problems.error("unknown-instruction", message, statement.span, hint)
