"""COPY and ADD."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.frontend.dockerfile.arguments import NotStringsError, fields, json_strings
from zbuild.frontend.dockerfile.flags import read_flags
from zbuild.frontend.dockerfile.heredoc import parse_mark
from zbuild.frontend.remote_sources import check_sources
from zbuild.model.ops import Copy, InlineFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.frontend.dockerfile.flags import FlagKind, Flags
    from zbuild.frontend.dockerfile.statement import Statement
    from zbuild.model.ops import Op

_BOTH: Mapping[str, FlagKind] = {"chown": "text", "chmod": "text", "link": "switch", "exclude": "list"}
_COPY_FLAGS: Mapping[str, FlagKind] = {**_BOTH, "from": "text", "parents": "switch"}
_ADD_FLAGS: Mapping[str, FlagKind] = {**_BOTH, "checksum": "text", "keep-git-dir": "switch", "unpack": "switch"}


def copy(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """COPY: files of the context, or of a stage or image with --from."""
    return _copied(statement, read_flags(statement, _COPY_FLAGS, problems), problems)


def add(statement: Statement, problems: Diagnostics) -> tuple[Op, ...]:
    """ADD: files of the context, local archives being unpacked; and what URLs and git references name."""
    return _copied(statement, read_flags(statement, _ADD_FLAGS, problems), problems)


def _copied(statement: Statement, flags: Flags, problems: Diagnostics) -> tuple[Op, ...]:
    *sources, dest = _paths(statement, problems) or ("",)
    heredocs = {heredoc.name: heredoc for heredoc in statement.heredocs}
    marks = [parse_mark(source) if heredocs else None for source in sources]
    inline = [heredocs[mark.name] for mark in marks if mark and mark.name in heredocs]
    op = Copy(
        tuple(source for source, mark in zip(sources, marks, strict=True) if not mark),
        dest,
        source=flags.text("from"),
        owner=flags.text("chown"),
        mode=flags.text("chmod"),
        extract=statement.keyword == "ADD",
        exclude=flags.texts("exclude"),
        parents=flags.switch("parents"),
        link=flags.switch("link"),
        checksum=flags.text("checksum"),
        keep_git_dir=flags.choice("keep-git-dir"),
        unpack=flags.choice("unpack"),
        inline=tuple(InlineFile(heredoc.name, heredoc.text, heredoc.expand) for heredoc in inline),
        span=statement.span,
    )
    check_sources(op, statement.arguments_span, flags.span("checksum", statement.arguments_span), problems)
    return (op,)


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
