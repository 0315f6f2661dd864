"""Build arguments of the command line: those that no build file asks for, and those that are settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.epoch import EPOCH_ARG
from zbuild.base.errors import UsageError
from zbuild.base.text import did_you_mean
from zbuild.frontend.lint.choices import LintChoices, parse_choices
from zbuild.frontend.lint.scope import AUTOMATIC_ARGS
from zbuild.model.ops import Arg
from zbuild.plan.proxies import PROXY_ARGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from zbuild.model.definition import Definition

_PREDEFINED = AUTOMATIC_ARGS | {name for proxy in PROXY_ARGS for name in (proxy, proxy.upper())}
_CHECK = "BUILDKIT_DOCKERFILE_CHECK"


def undeclared(given: Collection[str], definitions: Iterable[Definition]) -> tuple[Diagnostic, ...]:
    """Return a warning for each argument given that changes nothing: none of the definitions declares it.

    BuildKit's own settings are told apart from what was perhaps misspelt; those that zbuild honours are not told.
    """
    if not given:
        return ()
    declared = {
        op.name
        for definition in definitions
        for ops in (definition.args, *(stage.ops for stage in definition.stages))
        for op in ops
        if isinstance(op, Arg)
    }
    return tuple(
        Diagnostic("unused-build-arg", f"--build-arg {name} {message}", hint=hint, severity="warning")
        for name in given
        for message, hint in _unused(name, declared)
    )


def _unused(name: str, declared: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of an argument, and a hint."""
    if name in declared or name in (_CHECK, EPOCH_ARG) or name in _PREDEFINED or name.lower() in PROXY_ARGS:
        return
    elif name.startswith("BUILDKIT_"):
        yield "is a setting of BuildKit's, which changes nothing here", ""
    else:
        yield "is declared by none of the build files", did_you_mean(name, declared)


def lint_choices(given: Mapping[str, str]) -> LintChoices:
    """Return what BUILDKIT_DOCKERFILE_CHECK says, which goes before what build files say. Raises UsageError."""
    if _CHECK not in given:
        return LintChoices()
    try:
        return replace(parse_choices(given[_CHECK]), final=True)
    except ValueError as error:
        raise UsageError("bad-value", f"--build-arg {_CHECK}: {error}") from None
