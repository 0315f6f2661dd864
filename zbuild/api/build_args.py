"""Build arguments of the command line that no build file asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.text import did_you_mean
from zbuild.model.ops import Arg

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbuild.model.definition import Definition

# Known to every build without an ARG, whatever their case (docker's predefined arguments).
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")


def undeclared(given: Iterable[str], definitions: Iterable[Definition]) -> tuple[Diagnostic, ...]:
    """Return a warning for each argument given that none of the definitions declares."""
    declared = {
        op.name
        for definition in definitions
        for ops in (definition.args, *(stage.ops for stage in definition.stages))
        for op in ops
        if isinstance(op, Arg)
    }
    return tuple(
        Diagnostic(
            "unused-build-arg",
            f"--build-arg {name} is declared by none of the build files",
            hint=did_you_mean(name, declared),
            severity="warning",
        )
        for name in given
        if name not in declared and name.lower() not in _PROXIES
    )
