"""One instruction as it was read: its keyword, flags and arguments, and where each of them stands."""

from __future__ import annotations

import re
from bisect import bisect_right

from zbuild.base.dataclass import dataclass
from zbuild.base.span import Span

_LEADING_TABS = re.compile("^\t+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the characters of a statement come from: the offsets at which pieces of it begin, and their places."""

    offsets: tuple[int, ...]
    places: tuple[Span, ...]

    def place(self, offset: int, end: int = 0) -> Span:
        """Return where the character at `offset` stands in the file; `end` is the last line of what begins there."""
        piece = bisect_right(self.offsets, offset) - 1
        start = self.places[piece]
        return Span(start.file, start.line, start.column + offset - self.offsets[piece], end)


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: `expand` unless its name was quoted, `chomp` for `<<-`; `content` keeps its line ends."""

    name: str
    expand: bool
    chomp: bool
    content: str = ""

    @property
    def text(self) -> str:
        """The content as `<<-` or `<<` wants it: without the tabs that lines begin with, or as it is."""
        return _LEADING_TABS.sub("", self.content) if self.chomp else self.content


@dataclass(frozen=True, slots=True)
class Flag:
    """`--name` or `--name=value`, without its quotes; `value` None when there is no `=`."""

    name: str
    value: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Statement:
    """An instruction over all its lines. `keyword` is in capitals, `arguments` have no space around them.

    `escape` is the file's escape character; `text` is the whole statement with its lines joined. `empty_line` is the
    number of the first empty line inside of it, 0 when there is none.
    """

    keyword: str
    written: str
    text: str
    flags: tuple[Flag, ...]
    arguments: str
    span: Span
    arguments_span: Span
    escape: str = "\\"
    heredocs: tuple[Heredoc, ...] = ()
    empty_line: int = 0
