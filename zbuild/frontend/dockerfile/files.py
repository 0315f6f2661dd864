"""COPY and ADD."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.frontend.dockerfile.arguments import NotStringsError, fields, json_strings
from zbuild.frontend.dockerfile.flags import read_flags
from zbuild.frontend.dockerfile.heredoc import parse_mark
from zbuild.model.ops import Copy, InlineFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.frontend.dockerfile.flags import FlagKind, Flags
    from zbuild.frontend.dockerfile.statement import Statement
    from zbuild.model.ops import Op

_BOTH: Mapping[str, FlagKind] = {"chown": "text", "chmod": "text", "link": "switch", "exclude": "list"}
_COPY_FLAGS: Mapping[str, FlagKind] = {**_BOTH, "from": "text", "parents": "switch"}
_ADD_FLAGS: Mapping[str, FlagKind] = {**_BOTH, "checksum": "later", "keep-git-dir": "later", "unpack": "later"}

_URL = re.compile("[\"']*https?://", re.IGNORECASE)
_GIT = re.compile("[\"']*(?:(?:git|ssh)://|[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:|https?://[^#?]*\\.git(?:[#?\"']|$))")


def copy(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """COPY: files of the context, or of a stage or image with --from."""
    flags = read_flags(statement, _COPY_FLAGS, problems)
    *sources, dest = _paths(statement, problems) or ("",)
    for source in sources:
        if _URL.match(source):
            hint = "ADD reads URLs"
            problems.error("bad-argument", "COPY does not read URLs", statement.arguments_span, hint)
    return _copied(statement, flags, tuple(sources), dest)


def add(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """ADD: files of the context, local archives being unpacked."""
    flags = read_flags(statement, _ADD_FLAGS, problems)
    *sources, dest = _paths(statement, problems) or ("",)
    for source in sources:
        remote = "git references" if _GIT.match(source) else "URLs" if _URL.match(source) else ""
        if remote:
            problems.error("not-yet", f"ADD of {remote} is not supported yet", statement.arguments_span)
    return _copied(statement, flags, tuple(sources), dest)


def _copied(statement: Statement, flags: Flags, sources: tuple[str, ...], dest: str) -> tuple[Op, ...]:
    heredocs = {heredoc.name: heredoc for heredoc in statement.heredocs}
    marks = [parse_mark(source) if heredocs else None for source in sources]
    inline = [heredocs[mark.name] for mark in marks if mark and mark.name in heredocs]
    return (
        Copy(
            tuple(source for source, mark in zip(sources, marks, strict=True) if not mark),
            dest,
            source=flags.text("from"),
            owner=flags.text("chown"),
            mode=flags.text("chmod"),
            extract=statement.keyword == "ADD",
            exclude=flags.texts("exclude"),
            parents=flags.switch("parents"),
            link=flags.switch("link"),
            inline=tuple(InlineFile(heredoc.name, heredoc.text, heredoc.expand) for heredoc in inline),
            span=statement.span,
        ),
    )


def _paths(statement: Statement, problems: Diagnostics) -> tuple[str, ...]:
    """Return sources and destination, at least two; or nothing, when they are reported as wrong."""
    try:
        strings = json_strings(statement.arguments)
    except NotStringsError as error:
        problems.error("bad-argument", f"{statement.keyword}: {error}", statement.arguments_span)
        return ()
    paths = fields(statement.arguments) if strings is None else strings
    if len(paths) < 2:  # noqa: PLR2004 - a source and the destination
        message = f"{statement.keyword} needs a source and a destination"
        problems.error("missing-argument", message, statement.arguments_span)
        return ()
    if statement.heredocs and parse_mark(paths[-1]):
        message = f"{statement.keyword} needs a destination behind its here-documents"
        problems.error("missing-argument", message, statement.arguments_span)
        return ()
    return paths
