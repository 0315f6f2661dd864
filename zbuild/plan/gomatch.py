"""The patterns of ignore files: Go's `filepath.Match`, and the `**` that they add, as regular expressions.

Source of the rules: moby/patternmatcher.
"""

from __future__ import annotations

import re
from itertools import takewhile
from posixpath import normpath

from zbuild.base.gomatch import STARS, parse, plain, split


def clean(path: str) -> str:
    """Return the shortest equal path, as Go's filepath.Clean does; an empty one is `.`."""
    return normpath("/" + path.lstrip("/")) if path.startswith("/") else normpath(path)


def path_regex(pattern: str) -> str:
    """Return the regular expression of the whole paths a pattern matches, for re.DOTALL, without anchors.

    Raises PatternError.
    """
    pieces = parse(pattern)
    if pattern.startswith(STARS) and set(pattern[2:]).isdisjoint("/*?[]\\"):
        return ".*" + re.escape(pattern[2:])  # `**.md`: whatever ends so
    first, *rest = split(pieces, STARS)
    return plain(first) + "".join(_after_stars(part, last=at == len(rest)) for at, part in enumerate(rest, 1))


def folder_regex(pattern: str) -> str | None:
    """Return the regular expression of the folders below which the pattern could match, or None if there are none."""
    pieces = parse(pattern)
    head = list(takewhile(_stays, pieces))
    folders = [plain(part) for part in split(head, "/")]
    last = folders.pop()
    regex = last + ".*" if len(head) < len(pieces) else ""
    for folder in reversed(folders):
        regex = f"{folder}(?:/{regex})?" if regex else folder
    return regex or None


def _stays(piece: str) -> bool:
    """Tell whether a piece matches within one folder: neither STARS nor a character class with a slash in it."""
    return piece == "/" or (piece != STARS and not (piece.startswith("[") and re.fullmatch(piece, "/")))


def _after_stars(pieces: list[str], *, last: bool) -> str:
    if last and not pieces:
        return ".*"
    if not last and pieces[-1:] == ["/"]:
        return f"(?>(?:.*?/)??{plain(pieces)})"
    return f"(?:.*/)?{plain(pieces)}"
