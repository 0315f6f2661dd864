"""Here-documents: which of them a statement announces. Their lines are read by `lexer`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.frontend.dockerfile.arguments import NotStringsError, json_strings
from zbuild.frontend.dockerfile.statement import Heredoc
from zbuild.syntax.word_parts import Text, WordError, parse_word, split

if TYPE_CHECKING:
    from zbuild.frontend.dockerfile.statement import Statement

_MARK = re.compile(r"[0-9]*<<(-?)[\t\n\f\r ]*([^<]*)")
_INSTRUCTIONS = ("RUN", "COPY", "ADD")


def find_heredocs(statement: Statement) -> tuple[Heredoc, ...]:
    """Return the here-documents that follow a statement, in order, still without content.

    Only RUN, COPY and ADD have them, also behind ONBUILD, and only in their shell forms. In a statement whose quotes
    do not match there are none. The word rules are the default ones, whatever the file's escape character.
    """
    if "<<" not in statement.text or not _can_have_heredocs(statement):
        return ()
    try:
        words = split((part.source, part.quoted) for part in parse_word(statement.text))
    except WordError:
        return ()
    return tuple(heredoc for word in words if (heredoc := parse_mark(word)))


def parse_mark(word: str) -> Heredoc | None:
    """Return the here-document that a word announces (`<<NAME`, `<<-"NAME"`), without content; None for other words."""
    mark = _MARK.fullmatch(word)
    return _heredoc(mark[2], chomp=bool(mark[1])) if mark and mark[2] else None


def _can_have_heredocs(statement: Statement) -> bool:
    keyword, arguments = statement.keyword, statement.arguments
    if keyword == "ONBUILD":
        keyword, _, arguments = arguments.partition(" ")
    try:
        return keyword.upper() in _INSTRUCTIONS and json_strings(arguments.strip()) is None
    except NotStringsError:
        return False


def _heredoc(word: str, *, chomp: bool) -> Heredoc | None:
    """Read the name behind `<<`; quotes anywhere in it mean that the content is not expanded, escapes do not."""
    try:
        parts = parse_word(word)
    except WordError:
        return None
    names = split((part.text if isinstance(part, Text) else part.source, part.quoted) for part in parts)
    if len(names) != 1:
        return None
    return Heredoc(names[0], expand=not any(part.source[:1] in "'\"" for part in parts), chomp=chomp)
