"""ENV, LABEL, ARG and the instructions with one text or a list: what changes an image's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.frontend.dockerfile.arguments import BLANKS, NotStringsError, fields, json_strings, quoted_words
from zbuild.frontend.dockerfile.flags import NO_FLAGS, read_flags
from zbuild.model.ops import Arg, Env, Expose, Label, Maintainer, StopSignal, User, Volume, Workdir
from zbuild.syntax.word_parts import SPACE
from zbuild.syntax.words import WordError, expand

if TYPE_CHECKING:
    from zbuild.base.diagnostic import Diagnostics
    from zbuild.frontend.dockerfile.statement import Statement
    from zbuild.model.ops import Op, Pairs


def env(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """ENV name=value …, or ENV name value."""
    return (Env(_pairs(statement, problems), statement.span),)


def label(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """LABEL name=value …, or LABEL name value."""
    return (Label(_pairs(statement, problems), statement.span),)


def arg(statement: Statement, problems: Diagnostics) -> tuple[Arg, ...]:
    """ARG name[=default], several in one instruction if wanted."""
    read_flags(statement, NO_FLAGS, problems)
    words = quoted_words(statement.arguments, statement.escape)
    if not words:
        problems.error("missing-argument", "ARG needs a name", statement.span)
    return tuple(_argument(word, statement, problems) for word in words)


def workdir(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """WORKDIR path; white space belongs to the path."""
    return (Workdir(_one(statement, problems), statement.span),)


def user(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """USER name[:group]."""
    return (User(_one(statement, problems), statement.span),)


def stopsignal(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """STOPSIGNAL signal."""
    return (StopSignal(_one(statement, problems), statement.span),)


def maintainer(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """MAINTAINER text."""
    return (Maintainer(_one(statement, problems), statement.span),)


def expose(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """EXPOSE port …; each word may expand to several ports."""
    read_flags(statement, NO_FLAGS, problems)
    ports = fields(statement.arguments)
    if not ports:
        problems.error("missing-argument", "EXPOSE needs a port", statement.span)
    return (Expose(ports, statement.span),)


def volume(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """VOLUME path …, or VOLUME ["path", …]."""
    read_flags(statement, NO_FLAGS, problems)
    try:
        strings = json_strings(statement.arguments)
    except NotStringsError as error:
        problems.error("bad-argument", f"VOLUME: {error}", statement.arguments_span)
        return ()
    paths = tuple(path.strip(SPACE) for path in (fields(statement.arguments) if strings is None else strings))
    if not all(paths) or not paths:
        problems.error("missing-argument", "VOLUME needs a path, which may not be empty", statement.arguments_span)
    return (Volume(paths, statement.span),)


def _one(statement: Statement, problems: Diagnostics) -> str:
    read_flags(statement, NO_FLAGS, problems)
    if not statement.arguments:
        problems.error("missing-argument", f"{statement.keyword} needs an argument", statement.span)
    return statement.arguments


def _argument(word: str, statement: Statement, problems: Diagnostics) -> Arg:
    name, equals, default = word.partition("=")
    try:  # a name is no word in the IR, but it may be quoted
        name = name if "$" in name else expand(name, {}, escape=statement.escape)
    except WordError as error:
        problems.error("bad-argument", f"the name of the ARG {name[:40]}: {error}", statement.arguments_span)
    if not name:
        problems.error("bad-argument", "an ARG has no name", statement.arguments_span)
    return Arg(name, default if equals else None, statement.span)


def _pairs(statement: Statement, problems: Diagnostics) -> Pairs:
    """Read `name=value …`, or `name value` where the first word has no `=`; both stay words."""
    read_flags(statement, NO_FLAGS, problems)
    words = quoted_words(statement.arguments, statement.escape)
    if words and "=" not in words[0]:
        pair = BLANKS.split(statement.arguments, maxsplit=1)
        words = (f"{pair[0]}={pair[1]}",) if len(pair) > 1 else ()
    if not words:
        problems.error("missing-argument", f"{statement.keyword} needs a name and a value", statement.span)
    for word in words:
        name, equals, _ = word.partition("=")
        if not equals:
            hint = "separate name and value by '=', and quote values with spaces"
            message = f"'{word[:40]}' of {statement.keyword} has no '='"
            problems.error("bad-argument", message, statement.arguments_span, hint)
        elif not name:
            problems.error("bad-argument", f"{statement.keyword} needs a name before '='", statement.arguments_span)
    return tuple((name, value) for name, _, value in (word.partition("=") for word in words))
