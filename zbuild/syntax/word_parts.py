"""Words taken apart: literal text and `$` substitutions, before any variable has a value.

The grammar is that of BuildKit's shell lexer (frontend/dockerfile/shell): quotes, one escape character, `$NAME`,
`${NAME}` and `${NAME<operator>…}`. There is no command substitution and no arithmetic.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

# White space as Unicode has it (Go's unicode.IsSpace); `\s` of Python would add the separators U+001C to U+001F.
SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
SPACES = re.compile(f"[{SPACE}]+")

_MARK = re.compile(r"<<[\t\r ]*")
_SPECIAL_NAMES = "@*#?-$!"
_MAX_DEPTH = 50  # far beyond what people write, far below the interpreter's own limit


class WordError(ValueError):
    """A word that cannot be expanded: unbalanced quotes, a bad substitution, a required variable that is missing."""


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text. `quoted` text is never split at its spaces; `source` is how it was written, quotes included."""

    text: str
    quoted: bool
    source: str


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$name` or `${name…}`: `operator` is "" or one of `- + ? # % / //`; with `colon`, empty counts as unset."""

    name: str
    quoted: bool
    source: str = ""
    operator: str = ""
    colon: bool = False
    word: Word = ()
    replacement: Word = ()


Part: TypeAlias = Text | Substitution
Word: TypeAlias = "tuple[Part, ...]"


@lru_cache(maxsize=1024)
def parse_word(word: str, escape: str = "\\", *, quotes: bool = True) -> Word:
    """Take a word apart. Without `quotes` these are text like any other, as in here-documents.

    Raises WordError when quotes or braces do not match, or a substitution is not of the grammar.
    """
    return _Parser(word, escape, quotes=quotes).parse("")


def split(pieces: Iterable[tuple[str, bool]]) -> tuple[str, ...]:
    """Split (text, quoted) pieces at unquoted white space; empty words vanish, even quoted ones."""
    words: list[str] = []
    current = ""
    for text, quoted in pieces:
        first, *others = (text,) if quoted else SPACES.split(text)
        current += first
        for other in others:
            words.append(current)
            current = other
    words.append(current)
    return tuple(word for word in words if word)


class _Parser:
    """Reads a word from left to right; every method leaves `_at` behind what it read."""

    def __init__(self, word: str, escape: str, *, quotes: bool) -> None:
        self._word = word
        self._escape = escape
        self._quotes = quotes
        self._at = 0
        self._depth = 0
        self._keep_escapes = False  # inside a pattern, where the pattern's own rules read the escapes
        self._plain = re.compile(f"[^$'\"}}/<{re.escape(escape)}]+")
        self._plain_quoted = re.compile(f'[^$"{re.escape(escape)}]+')

    def parse(self, stop: str) -> Word:
        """Read up to the unquoted character `stop`, or to the end when it is empty."""
        parts: list[Part] = []
        while char := self._peek():
            if char == stop:
                self._at += 1
                return tuple(parts)
            parts.extend(self._next_parts(char))
        if stop:
            raise WordError(f"missing '{stop}' after '${{'")
        return tuple(parts)

    def _next_parts(self, char: str) -> list[Part]:
        if char == "'" and self._quotes:
            return [self._single_quoted()]
        if char == '"' and self._quotes:
            return self._double_quoted()
        if char == "$":
            return [self._dollar(quoted=False)]
        if char == self._escape:
            return [self._escaped()]
        if mark := _MARK.match(self._word, self._at):  # the name of a here-document may stand apart from it
            return [self._text(mark[0], mark[0], quoted=True)]
        match = self._plain.match(self._word, self._at)
        text = match[0] if match else char
        return [self._text(text, text, quoted=False)]

    def _peek(self) -> str:
        return self._word[self._at : self._at + 1]

    def _text(self, source: str, text: str, *, quoted: bool) -> Text:
        self._at += len(source)
        return Text(text, quoted, source)

    def _escaped(self) -> Text:
        """Read an escape: the next character is taken as it is; at the end of a word the escape means nothing."""
        source = self._word[self._at : self._at + 2]
        return self._text(source, source if self._keep_escapes else source[1:], quoted=True)

    def _single_quoted(self) -> Text:
        end = self._word.find("'", self._at + 1)
        if end < 0:
            raise WordError("missing the closing single quote")
        return self._text(self._word[self._at : end + 1], self._word[self._at + 1 : end], quoted=True)

    def _double_quoted(self) -> list[Part]:
        parts: list[Part] = [self._text('"', "", quoted=True)]
        while char := self._peek():
            if char == '"':
                return [*parts, self._text('"', "", quoted=True)]
            if char == "$":
                parts.append(self._dollar(quoted=True))
            elif char == self._escape:
                parts.append(self._escaped_in_quotes())
            elif match := self._plain_quoted.match(self._word, self._at):
                parts.append(self._text(match[0], match[0], quoted=True))
        raise WordError("missing the closing double quote")

    def _escaped_in_quotes(self) -> Text:
        """Read an escape in double quotes, where it is one only before `"`, `$` and itself, and text elsewhere."""
        source = self._word[self._at : self._at + 2]
        if source[1:] not in ('"', "$", self._escape):
            source = self._escape
        kept = self._escape if self._keep_escapes else ""
        return self._text(source, kept + source[-1], quoted=True)

    def _dollar(self, *, quoted: bool) -> Part:
        start = self._at
        self._at += 1
        if self._peek() == "{":
            self._at += 1
            return self._braces(start, quoted=quoted)
        name = self._name()
        source = self._word[start : self._at]
        return Substitution(name, quoted, source) if name else Text(source, quoted, source)

    def _name(self) -> str:
        """Read a name: letters, digits and `_`; or digits alone; or one of the shell's special parameters."""
        start = self._at
        first = self._peek()
        if first and first in _SPECIAL_NAMES:
            self._at += 1
        elif first.isdecimal():
            while self._peek().isdecimal():
                self._at += 1
        else:
            while (char := self._peek()) and (char.isalpha() or char.isdecimal() or char == "_"):
                self._at += 1
        return self._word[start : self._at]

    def _braces(self, start: int, *, quoted: bool) -> Substitution:
        if (char := self._peek()) and char in "{}:":
            raise WordError("bad substitution: a name must follow '${'")
        name = self._name()
        operator, colon = self._operator()
        word, replacement = self._operands(operator) if operator else ((), ())
        return Substitution(name, quoted, self._word[start : self._at], operator, colon, word, replacement)

    def _operator(self) -> tuple[str, bool]:
        """Read what follows the name, `}` included if that is all: the operator, and whether a colon preceded it."""
        char = self._peek()
        self._at += 1
        if char == "}":
            return "", False
        colon = char == ":"
        if colon:
            char = self._peek()
            self._at += 1
        if not char:
            raise WordError("missing '}' after '${'")
        if char not in ("-+?" if colon else "-+?#%/"):
            raise WordError(f"unsupported modifier '{':' if colon else ''}{char}' in a substitution")
        if char == "/" and self._peek() == "/":
            self._at += 1
            char = "//"
        return char, colon

    def _operands(self, operator: str) -> tuple[Word, Word]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise WordError("substitutions are nested too deeply")
        outer, self._keep_escapes = self._keep_escapes, operator in ("#", "%", "/", "//")
        word = self.parse("/" if operator in ("/", "//") else "}")
        replacement = self.parse("}") if operator in ("/", "//") else ()
        self._keep_escapes = outer
        self._depth -= 1
        return word, replacement
