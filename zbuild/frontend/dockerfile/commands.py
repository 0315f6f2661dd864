"""RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK: the instructions that hold a command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.base.duration import parse_duration
from zbuild.base.text import did_you_mean
from zbuild.frontend.dockerfile.arguments import NotStringsError, json_strings
from zbuild.frontend.dockerfile.flags import NO_FLAGS, read_flags
from zbuild.frontend.dockerfile.heredoc import parse_mark
from zbuild.frontend.dockerfile.mounts import parse_mount
from zbuild.model.ops import Cmd, Entrypoint, ExecForm, Healthcheck, Run, Shell, ShellForm
from zbuild.syntax.word_parts import SPACES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.frontend.dockerfile.flags import FlagKind, Flags
    from zbuild.frontend.dockerfile.statement import Statement
    from zbuild.model.mounts import WrittenMount
    from zbuild.model.ops import Command, Op

_RUN_FLAGS: Mapping[str, FlagKind] = {"mount": "list", "network": "text", "security": "text", "device": "list"}
_NETWORKS = ("default", "none", "host")
_SECURITIES = ("sandbox", "insecure")
_HEALTH_TIMES = ("interval", "timeout", "start-period", "start-interval")
_HEALTH_FLAGS: Mapping[str, FlagKind] = {**dict.fromkeys(_HEALTH_TIMES, "text"), "retries": "text"}
_MAY_BE_EMPTY = ("RUN", "CMD", "ENTRYPOINT")  # as in BuildKit: the shell is given an empty command
_MIN_HEALTH_TIME = 1_000_000  # 1 ms, in nanoseconds
_MAX_RETRIES = 2**31 - 1


def run(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """RUN: its mounts and network, and its command.

    What zbuild cannot run is read all the same; it is refused when it is to be built.
    """
    flags = read_flags(statement, _RUN_FLAGS, problems)
    command, heredoc = _with_heredocs(statement) or (_command(statement, statement.arguments, problems), "")
    made = Run(
        command or ShellForm(""),
        _mounts(flags, problems),
        network=_network(flags, statement.span, problems),
        heredoc=heredoc,
        insecure=_is_insecure(flags, statement.span, problems),
        devices=flags.texts("device"),
        span=statement.span,
    )
    return (made,) if command else ()


def cmd(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """CMD; an empty JSON array is a command that clears the base's, and none at all is the shell's empty one."""
    read_flags(statement, NO_FLAGS, problems)
    command = _command(statement, statement.arguments, problems)
    return (Cmd(command, statement.span),) if command else ()


def entrypoint(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """ENTRYPOINT; an empty JSON array clears the base's."""
    read_flags(statement, NO_FLAGS, problems)
    command = _command(statement, statement.arguments, problems)
    return (Entrypoint(command, statement.span),) if command else ()


def shell(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """SHELL, which has a JSON form only."""
    read_flags(statement, NO_FLAGS, problems)
    command = _command(statement, statement.arguments, problems)
    if isinstance(command, ShellForm):
        hint = 'write it like ["/bin/bash", "-c"]'
        problems.error("bad-argument", "SHELL needs a JSON array of strings", statement.arguments_span, hint)
    elif command is not None and not command.argv:
        problems.error("missing-argument", "SHELL needs at least one argument", statement.arguments_span)
    elif command is not None:
        return (Shell(command.argv, statement.span),)
    return ()


def healthcheck(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """HEALTHCHECK NONE, or HEALTHCHECK with options and CMD."""
    flags = read_flags(statement, _HEALTH_FLAGS, problems)
    kind, rest = (*SPACES.split(statement.arguments, maxsplit=1), "")[:2]
    if kind.upper() == "NONE":
        if rest:
            problems.error("bad-argument", "HEALTHCHECK NONE takes no arguments", statement.arguments_span)
        return (Healthcheck(None, span=statement.span),)
    if kind.upper() != "CMD":
        hint = did_you_mean(kind.upper(), ("CMD", "NONE")) or "write HEALTHCHECK CMD command, or HEALTHCHECK NONE"
        code, what = ("bad-argument", f"not '{kind[:40]}'") if kind else ("missing-argument", "and it has nothing")
        problems.error(code, f"HEALTHCHECK needs CMD or NONE, {what}", statement.arguments_span, hint)
        return ()
    command = _command(statement, rest, problems)
    if command == ExecForm(()):
        problems.error("missing-argument", "HEALTHCHECK CMD needs a command", statement.arguments_span)
    return (_healthcheck(command, flags, statement.span, problems),)


def _healthcheck(command: Command | None, flags: Flags, span: Span, problems: Diagnostics) -> Healthcheck:
    interval, timeout, start_period, start_interval = (
        _health_time(flags, name, span, problems) for name in _HEALTH_TIMES
    )
    retries = _retries(flags, span, problems)
    return Healthcheck(command, interval, timeout, start_period, start_interval, retries, span)


def _command(statement: Statement, text: str, problems: Diagnostics) -> Command | None:
    """Read a command in its JSON form where it is an array of strings, else in its shell form."""
    if not text and statement.keyword not in _MAY_BE_EMPTY:
        problems.error("missing-argument", f"{statement.keyword} needs a command", statement.span)
        return None
    try:
        strings = json_strings(text)
    except NotStringsError as error:
        problems.error("bad-argument", f"{statement.keyword}: {error}", statement.arguments_span)
        return None
    return ShellForm(text) if strings is None else ExecForm(strings)


def _with_heredocs(statement: Statement) -> tuple[ShellForm, str] | None:
    """Return the command of a RUN with here-documents; None when it has none.

    A lone here-document is the script itself, for whatever shell, and its name counts. Otherwise the shell is given
    the here-documents behind the command, as they stand in the file.
    """
    if not statement.heredocs:
        return None
    if parse_mark(statement.arguments):
        return ShellForm(statement.heredocs[0].text), statement.heredocs[0].name
    documents = (f"\n{heredoc.content}{heredoc.name}" for heredoc in statement.heredocs)
    return ShellForm(statement.arguments + "".join(documents)), ""


def _mounts(flags: Flags, problems: Diagnostics) -> tuple[WrittenMount, ...]:
    mounts = (parse_mount(flag, problems) for flag in flags.all("mount"))
    return tuple(mount for mount in mounts if mount)


def _network(flags: Flags, default: Span, problems: Diagnostics) -> str:
    name = flags.text("network")
    if flags.all("network") and name not in _NETWORKS:
        hint = did_you_mean(name, _NETWORKS)
        problems.error("bad-flag", "--network is default, none or host", flags.span("network", default), hint)
    return "" if name == "default" else name


def _is_insecure(flags: Flags, default: Span, problems: Diagnostics) -> bool:
    name = flags.text("security")
    if flags.all("security") and name not in _SECURITIES:
        hint = did_you_mean(name, _SECURITIES)
        problems.error("bad-flag", "--security is sandbox or insecure", flags.span("security", default), hint)
    return name == "insecure"


def _health_time(flags: Flags, name: str, default: Span, problems: Diagnostics) -> int:
    """Return a duration in nanoseconds; unlike elsewhere a unit must be given, as Docker wants it."""
    text = flags.text(name)
    span = flags.span(name, default)
    try:
        value = parse_duration(text) if text else 0
    except ValueError as error:
        problems.error("bad-flag", f"--{name}: {error}", span)
        return 0
    if value and text.strip()[-1].isdecimal():
        problems.error("bad-flag", f"--{name}={text} has no unit", span, f"write --{name}={text.strip()}s")
    elif 0 < value < _MIN_HEALTH_TIME:
        problems.error("bad-flag", f"--{name} cannot be less than 1ms", span)
    return value


def _retries(flags: Flags, default: Span, problems: Diagnostics) -> int:
    text = flags.text("retries")
    if not text:
        return 0
    if not re.fullmatch(r"\+?[0-9]{1,10}", text) or int(text) > _MAX_RETRIES:
        span = flags.span("retries", default)
        problems.error("bad-flag", f"--retries is a number from 0, not '{text[:40]}'", span)
        return 0
    return int(text)
