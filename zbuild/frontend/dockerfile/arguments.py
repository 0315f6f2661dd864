"""How the arguments of an instruction are told apart: JSON arrays, white space, or words with quotes."""

from __future__ import annotations

import json
import re
from functools import cache

from zbuild.syntax.word_parts import SPACE

# Line ends are missing here, as in BuildKit: a statement has none.
BLANKS = re.compile(r"[\t\v\f\r ]+")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class NotStringsError(ValueError):
    """A JSON array that holds something else than strings."""


def json_strings(text: str) -> tuple[str, ...] | None:
    """Return the strings of a JSON array, or None for a text that is no JSON array.

    Raises NotStringsError for an array of other things, which BuildKit refuses rather than take for a shell form.
    """
    if not text.startswith("["):
        return None
    try:
        items = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(item, str) for item in items):
        raise NotStringsError("a JSON array may hold strings only")
    return tuple(_LONE_SURROGATE.sub("\ufffd", item) for item in items)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def fields(text: str) -> tuple[str, ...]:
    """Split at white space; quotes mean nothing."""
    return tuple(BLANKS.split(text)) if text else ()


def quoted_words(text: str, escape: str) -> tuple[str, ...]:
    """Split at white space that is neither quoted nor escaped; the words keep their quotes and escapes.

    A quote that is not closed reaches to the end, and an escape at the very end is dropped.
    """
    return tuple(match[0] for match in _word_pattern(escape).finditer(text))


@cache
def _word_pattern(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    escaped = f"{mark}."
    double = f'"(?:{escaped}|[^"{mark}])*"?'
    single = "'[^']*'?"
    return re.compile(f"(?:{escaped}|{double}|{single}|[^{SPACE}\"'{mark}])+", re.DOTALL)
