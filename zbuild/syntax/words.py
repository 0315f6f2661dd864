"""Word expansion: what Dockerfiles and ZImagefiles mean by `$NAME`, `${NAME:-word}`, quotes and escapes.

The rules are those of BuildKit's shell lexer; `word_parts` has the grammar, `word_pattern` the patterns. Names are
looked up in any mapping: give `FoldedEnv` for Windows images, where the case of a variable's name does not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.syntax.word_parts import Text, WordError, parse_word, split
from zbuild.syntax.word_pattern import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.syntax.word_parts import Part, Substitution, Word

__all__ = [
    "MAX_LENGTH",
    "Expansion",
    "FoldedEnv",
    "WordError",
    "expand",
    "expand_known",
    "expand_text",
    "expand_with_uses",
    "expand_words",
    "quote",
]

MAX_LENGTH = 1 << 20
"""The longest text a word may expand to, in characters: `ENV A=$A$A` repeated would otherwise fill the memory."""

_SPECIAL = re.compile(r"[$'\"\\`]")
_QUOTE_TOKEN = re.compile(r"\\\$|\\\}|\$\{(?:(?:\w+|[@*#?$!-])(?P<pattern>[#%/]))?|[}\"'\\]")


@dataclass(frozen=True, slots=True)
class Expansion:
    """What became of a word. `matched` and `unmatched` are the names looked up, as written, that were set or not."""

    text: str
    words: tuple[str, ...]
    matched: frozenset[str]
    unmatched: frozenset[str]


class FoldedEnv(Mapping[str, str]):
    """An environment whose names are found in any case. Of names that differ in case alone, the last one counts."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._values = {name.casefold(): value for name, value in env.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.casefold()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def expand(word: str, env: Mapping[str, str], *, escape: str = "\\") -> str:
    """Expand a word to one text: white space stays, quotes and escapes go, unset variables are empty.

    `escape` is the file's escape character, a backslash or a backtick. Raises WordError.
    """
    if not _SPECIAL.search(word):
        return word
    return _Evaluator(env).text(parse_word(word, escape))


def expand_words(word: str, env: Mapping[str, str], *, escape: str = "\\") -> tuple[str, ...]:
    """Expand a word and split it at unquoted white space, that of variables' values included (as for EXPOSE).

    Raises WordError.
    """
    return split(_Evaluator(env).pieces(parse_word(word, escape)))


def expand_with_uses(word: str, env: Mapping[str, str], *, escape: str = "\\", quotes: bool = True) -> Expansion:
    """Expand a word, and tell which variables it looked up; without `quotes` these are text, as in here-documents.

    The operands of a substitution count as used even when their value is not taken. Raises WordError.
    """
    evaluator = _Evaluator(env)
    pieces = list(evaluator.pieces(parse_word(word, escape, quotes=quotes)))
    text = "".join(piece for piece, _ in pieces)
    return Expansion(text, split(pieces), frozenset(evaluator.matched), frozenset(evaluator.unmatched))


def expand_text(text: str, env: Mapping[str, str]) -> str:
    """Expand the variables and escapes of a here-document's text, in which quotes mean nothing. Raises WordError."""
    return _Evaluator(env).text(parse_word(text, quotes=False)) if _SPECIAL.search(text) else text


def expand_known(word: str, env: Mapping[str, str], *, escape: str = "\\") -> str:
    """Expand a word as far as it is known: a substitution that looks up a name not in `env` stays as it is written.

    Raises WordError.
    """
    if not _SPECIAL.search(word):
        return word
    evaluator = _Evaluator(env)
    return "".join(
        evaluator.value(part) if isinstance(part, Text) or _names(part) <= env.keys() else part.source
        for part in parse_word(word, escape)
    )


def _names(part: Substitution) -> set[str]:
    """Return every name that a substitution looks up, those in its operands included."""
    inner = (item for item in (*part.word, *part.replacement) if not isinstance(item, Text))
    return {part.name}.union(*map(_names, inner))


def quote(text: str) -> str:
    r"""Return a word that expands to `text`, where only `$` expands still and `\$` stands for a dollar.

    Quotes, spaces and other backslashes are text, also in the default of a `${NAME:-default}`, where `\}` stands for a
    brace. Patterns (`${NAME#pattern}`) keep their own rules. It is for values that are no words where they are written,
    as in a ZImagefile, and for the escape character `\`.
    """
    parts: list[str] = []
    open_braces: list[bool] = []  # for each `${` not closed yet: whether a pattern follows it
    at = 0
    for match in _QUOTE_TOKEN.finditer(text):
        parts += text[at : match.start()], _quoted_token(match[0], open_braces)
        at = match.end()
        if match[0].startswith("${"):
            open_braces.append(match["pattern"] is not None)
        elif match[0] == "}" and open_braces:
            open_braces.pop()
    return f'"{"".join(parts)}{text[at:]}"'


def _quoted_token(written: str, open_braces: list[bool]) -> str:
    if written.startswith(("${", "\\$")) or written == "}" or any(open_braces):
        return written
    if written == "\\}":
        return written if open_braces else "\\\\}"
    return written if written == "'" and not open_braces else f"\\{written}"


class _Evaluator:
    """Gives parts their values, and notes the names it looks up."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._length = 0
        self.matched: set[str] = set()
        self.unmatched: set[str] = set()

    def pieces(self, word: Word) -> Iterator[tuple[str, bool]]:
        """Yield each part's value, and whether it is quoted."""
        for part in word:
            yield self.value(part), part.quoted

    def text(self, word: Word) -> str:
        return "".join(map(self.value, word))

    def value(self, part: Part) -> str:
        """Return the value of one part. Raises WordError."""
        value = part.text if isinstance(part, Text) else self._substitute(part)
        self._length += len(value)
        if self._length > MAX_LENGTH:
            raise WordError(f"the word expands to more than {MAX_LENGTH} characters")
        return value

    def _look_up(self, name: str) -> str | None:
        value = self._env.get(name)
        (self.unmatched if value is None else self.matched).add(name)
        return value

    def _substitute(self, part: Substitution) -> str:
        word = self.text(part.word)
        replacement = self.text(part.replacement)
        value = self._look_up(part.name)
        match part.operator:
            case "":
                return value or ""
            case "-" | "+" | "?":
                return _conditional(part, word, value)
            case "#" | "%":
                return _trimmed(value or "", word, at_end=part.operator == "%")
            case _:
                return _replaced(value or "", word, replacement, everywhere=part.operator == "//")


def _conditional(part: Substitution, word: str, value: str | None) -> str:
    missing = value is None or (part.colon and not value)
    if part.operator == "+":
        return "" if missing else word
    if not missing:
        return value or ""
    if part.operator == "-":
        return word
    state = "empty" if value is not None else "unset"
    raise WordError(f"{part.name}: {word or f'is not allowed to be {state}'}")


def _trimmed(value: str, pattern: str, *, at_end: bool) -> str:
    """Cut the match off the start, or off the end; a doubled operator (`##`, `%%`) takes the longest match."""
    longest = pattern.startswith("%" if at_end else "#")
    compiled = compile_pattern(pattern[1:] if longest else pattern, longest=longest, backwards=at_end)
    end = compiled.match(value[::-1] if at_end else value)
    if not end:
        return value
    return value[:-end] if at_end else value[end:]


def _replaced(value: str, pattern: str, replacement: str, *, everywhere: bool) -> str:
    """Replace the first or every longest match; an empty match right behind another match does not count."""
    compiled = compile_pattern(pattern, longest=True)
    parts: list[str] = []
    copied = at = length = 0
    while found := compiled.find(value, at):
        start, end = found
        if start < end or start != copied or not parts:
            parts += value[copied:start], replacement
            copied = end
            length += start - at + len(replacement)
        at = max(end, start + 1)
        if not everywhere or at > len(value) or length > MAX_LENGTH:  # too long: the caller refuses what is there
            break
    return "".join(parts) + value[copied:]
