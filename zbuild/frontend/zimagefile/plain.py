"""Words as the texts that a ZImagefile holds for them: the way back from `values.word`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.frontend.values import word as word_for
from zbuild.syntax.word_parts import Substitution, Text, WordError, parse_word
from zbuild.syntax.words import expand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zbuild.syntax.word_parts import Word

_OPERANDS = ("-", "+", "?")


class UnsayableError(ValueError):
    """A word for which a ZImagefile has no text."""


def plain_text(word: str, escape: str = "\\") -> str:
    """Return the text that a ZImagefile holds for a word: quotes and escapes gone, variables as they are.

    Raises UnsayableError for a word that no text means, like one with a pattern in quotes.
    """
    if word_for(word) == word:
        return word
    try:
        parts = parse_word(word, escape)
    except WordError as error:
        raise UnsayableError(str(error)) from None
    for braces in (False, True):
        text = _text(parts, nested=False, braces=braces)
        if _means(text, word, escape, _names(parts)):
            return text
    raise UnsayableError("a ZImagefile has no text that means the same")


def _means(text: str, word: str, escape: str, names: Iterable[str]) -> bool:
    """Say whether a text comes to the same as a word, with no variable set and with all of them set."""
    envs: tuple[dict[str, str], ...] = ({}, dict.fromkeys(names, "a b"))
    return all(_value(word_for(text), env, "\\") == _value(word, env, escape) for env in envs)


def _value(word: str, env: dict[str, str], escape: str) -> str:
    try:
        return expand(word, env, escape=escape)
    except WordError as error:  # `${NAME:?}` without a value: then both must fail in the same way
        return f"\0{error}"


def _text(word: Word, *, nested: bool, braces: bool) -> str:
    return "".join(
        _literal(part.text, nested=nested) if isinstance(part, Text) else _name(part, braces=braces) for part in word
    )


def _literal(text: str, *, nested: bool) -> str:
    text = text.replace("$", "\\$")
    return text.replace("}", "\\}") if nested else text


def _name(part: Substitution, *, braces: bool) -> str:
    if not part.operator:
        return f"${{{part.name}}}" if braces else part.source
    if part.operator in _OPERANDS:
        colon = ":" if part.colon else ""
        return f"${{{part.name}{colon}{part.operator}{_text(part.word, nested=True, braces=braces)}}}"
    return part.source


def _names(word: Word) -> Iterator[str]:
    for part in word:
        if isinstance(part, Substitution):
            yield part.name
            yield from _names(part.word)
            yield from _names(part.replacement)
