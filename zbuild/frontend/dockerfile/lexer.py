"""Bytes to statements: directives, comments, continued lines, here-documents.

The rules are those of BuildKit's parser (frontend/dockerfile/parser): a line continues when its last character but
blanks is one escape character alone; comments and empty lines inside a continued instruction vanish.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.span import Span
from zbuild.frontend.dockerfile.arguments import BLANKS
from zbuild.frontend.dockerfile.flags import split_flags
from zbuild.frontend.dockerfile.heredoc import find_heredocs
from zbuild.frontend.dockerfile.statement import Flag, Origins, Statement
from zbuild.syntax.word_parts import SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.frontend.dockerfile.statement import Heredoc

MAX_LINE = 65_535
"""The longest line, in bytes, as in BuildKit."""

_UNDECODABLE = re.compile("[\0\udc80-\udcff]")
_DIRECTIVE_NAME = re.compile("[a-zA-Z][a-zA-Z0-9]*")
_DIRECTIVES = ("syntax", "escape", "check")
_ASCII_SPACE = "\t\n\f\r "
_MAX_UTF8 = 4


class Lexer:
    """Reads the statements of one file; problems go to `problems`, and reading goes on behind them.

    `escape` is the file's escape character once the first statement has been read; `directives` are then complete,
    each with its value and its place.
    """

    def __init__(self, data: bytes, file: str, problems: Diagnostics) -> None:
        text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        self._lines = text.split("\n")
        self._at = 0
        self._file = file
        self._problems = problems
        self._directives_may_follow = True
        self._empty_line = 0
        self.directives: dict[str, tuple[str, Span]] = {}
        self.escape = "\\"

    def statements(self) -> Iterator[Statement]:
        """Yield the statements in order."""
        while self._at < len(self._lines):
            line = self._next_line()
            bare = line.lstrip(SPACE)
            self._read_directive(bare, self._at)
            if bare and not bare.startswith("#"):
                statement = self._statement(line)
                heredocs = self._heredocs(statement)
                yield self._with_heredocs(statement, heredocs) if heredocs else statement

    @property
    def _line_number(self) -> int:
        """The line read last; what follows the file's last line end is none."""
        ends_properly = len(self._lines) > 1 and not self._lines[-1]
        return min(self._at, len(self._lines) - ends_properly)

    def _with_heredocs(self, statement: Statement, heredocs: tuple[Heredoc, ...]) -> Statement:
        return replace(statement, heredocs=heredocs, span=replace(statement.span, end=self._line_number))

    def _next_line(self) -> str:
        line = self._lines[self._at].rstrip("\r")
        self._at += 1
        if len(line) * _MAX_UTF8 > MAX_LINE and len(line.encode("utf-8", "surrogateescape")) > MAX_LINE:
            self._error("line-too-long", f"the line is longer than {MAX_LINE} bytes", self._at)
            return ""
        return line

    def _error(self, code: str, message: str, line: int, hint: str = "") -> None:
        self._problems.error(code, message, Span(self._file, line), hint)

    def _read_directive(self, line: str, number: int) -> None:
        """Take note of `# name=value`, as long as nothing but directives came before it."""
        if not self._directives_may_follow:
            return
        name, _, value = (text.strip(_ASCII_SPACE) for text in line.removeprefix("#").partition("="))
        name = name.lower()
        if not (line.startswith("#") and value and _DIRECTIVE_NAME.fullmatch(name) and name in _DIRECTIVES):
            self._directives_may_follow = False
        elif name in self.directives:
            self._error("bad-directive", f"the directive '{name}' is given twice", number)
        else:
            self.directives[name] = (value, Span(self._file, number))
            if name == "escape":
                self._set_escape(value, number)

    def _set_escape(self, value: str, number: int) -> None:
        if value in ("\\", "`"):
            self.escape = value
        else:
            self._error("bad-directive", f"the escape character is \\ or `, not '{value[:40]}'", number)

    def _statement(self, line: str | None) -> Statement:
        """Join the lines of the statement that begins with `line`, which has been read already."""
        self._empty_line = 0
        pieces: list[str] = []
        offsets: list[int] = []
        places: list[Span] = []
        while line is not None:
            piece, continued = self._without_continuation(line)
            offsets.append(offsets[-1] + len(pieces[-1]) if pieces else 0)
            places.append(Span(self._file, self._at))
            pieces.append(piece)
            line = self._next_continuation() if continued else None
        return self._take_apart("".join(pieces), Origins(tuple(offsets), tuple(places)))

    def _next_continuation(self) -> str | None:
        """Return the next line that is neither empty nor a comment, and remember the first empty one."""
        while self._at < len(self._lines):
            line = self._next_line()
            bare = line.lstrip(SPACE)
            if bare and not bare.startswith("#"):
                return line
            if not bare and not self._empty_line and self._at < len(self._lines):  # none follows the last line's end
                self._empty_line = self._at
        return None

    def _without_continuation(self, line: str) -> tuple[str, bool]:
        end = line.rstrip(" \t")
        if end.endswith(self.escape) and end[-2:-1] != self.escape:
            return end[:-1], True
        return line, False

    def _take_apart(self, text: str, origins: Origins) -> Statement:
        if bad := _UNDECODABLE.search(text):
            self._problems.error(
                "bad-character", "here is a NUL, or a byte that is not UTF-8", origins.place(bad.start())
            )
            text = _UNDECODABLE.sub("\ufffd", text)
        text = text.rstrip(SPACE)
        start = len(text) - len(text.lstrip(SPACE))
        blanks = BLANKS.search(text, start)
        keyword, rest = (text[start : blanks.start()], blanks.end()) if blanks else (text[start:], len(text))
        flags, rest = split_flags(text, rest, self.escape)
        rest += len(text[rest:]) - len(text[rest:].lstrip(SPACE))
        return Statement(
            keyword.upper(),
            keyword,
            text[start:],
            tuple(_flag(word, origins.place(offset)) for offset, word in flags),
            text[rest:],
            origins.place(start, self._line_number),
            origins.place(rest),
            self.escape,
            empty_line=self._empty_line,
        )

    def _heredocs(self, statement: Statement) -> tuple[Heredoc, ...]:
        return tuple(self._with_content(heredoc, statement) for heredoc in find_heredocs(statement))

    def _with_content(self, heredoc: Heredoc, statement: Statement) -> Heredoc:
        content: list[str] = []
        while self._at < len(self._lines):
            raw = self._lines[self._at]
            line = self._next_line()
            if (line.lstrip("\t") if heredoc.chomp else line) == heredoc.name:
                return self._checked(replace(heredoc, content="".join(content)))
            content.append(f"{raw}\n")
        message = f"the here-document '{heredoc.name[:40]}' does not end"
        self._problems.error("bad-heredoc", message, statement.span)
        return heredoc

    def _checked(self, heredoc: Heredoc) -> Heredoc:
        """Return a here-document, refusing one with bytes that no shell or image could be given as text."""
        if bad := _UNDECODABLE.search(heredoc.content):
            line = self._at - heredoc.content.count("\n", bad.start())
            self._error("bad-character", "here is a NUL, or a byte that is not UTF-8", line)
            return replace(heredoc, content=_UNDECODABLE.sub("\ufffd", heredoc.content))
        return heredoc


def _flag(word: str, span: Span) -> Flag:
    name, equals, value = word.removeprefix("--").partition("=")
    return Flag(name, value if equals else None, span)
