"""The paths of `--set PATH=VALUE`, read by the schema: `images.NAME.KEY`, `defaults.KEY`, `groups.NAME`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.base.errors import UsageError
from zbuild.base.text import did_you_mean
from zbuild.syntax.schema_part import SchemaPart

if TYPE_CHECKING:
    from collections.abc import Iterable

_FORM = re.compile(r"(?P<path>[^=]*[^=+])(?P<sign>\+?=)(?P<text>.*)", re.DOTALL)
_SECTIONS = ("images", "defaults", "groups", "cache", "push")
_EARLIER = frozenset({"extends", "matrix", "name"})  # done with before anything is set


def split_setting(text: str) -> tuple[str, str, bool]:
    """Split PATH=VALUE or PATH+=VALUE into path, value, and whether it adds. Raises UsageError for anything else."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError("bad-path", f"--set {text}: this is no PATH=VALUE", hint="write images.api.retries=2, say")
    return match["path"], match["text"], match["sign"] == "+="


def split_path(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the image's name or pattern ("" for what is not an image's) and the keys that a path goes down.

    Raises UsageError for a path that leads nowhere.
    """
    section, _, rest = path.partition(".")
    root = SchemaPart.root("zbuild")
    if section not in _SECTIONS:
        raise _unknown(path, section, _SECTIONS) if rest else _no_path(path)
    if section != "images":
        return "", (section, *_keys(path, rest, root.at([section])))
    image = root.at(["images", "any"])
    parts = rest.split(".")
    # Names may have dots in them: the first key that images have ends the name.
    end = next((index for index in range(1, len(parts)) if image and parts[index] in image.known), None)
    if end is None or parts[end] in _EARLIER:
        known = [name for name in (image.known if image else ()) if name not in _EARLIER]
        raise _unknown(path, parts[-1] if len(parts) > 1 else "", known)
    return ".".join(parts[:end]), _keys(path, ".".join(parts[end:]), image)


def _keys(path: str, rest: str, part: SchemaPart | None) -> tuple[str, ...]:
    """Return the keys of a path; where any name may stand for a plain value, it may have dots in it."""
    keys: list[str] = []
    while rest and part is not None:
        first, _, more = rest.partition(".")
        if first not in part.known:
            inner = part.child(rest)
            if inner is None:
                raise _unknown(path, first, part.known)
            first, more = (first, more) if "object" in inner.types else (rest, "")
        keys.append(first)
        part, rest = part.child(first), more
    if part is None or part.types == {"object"}:
        raise _unknown(path, "", part.known if part else ())
    return tuple(keys)


def _no_path(name: str) -> UsageError:
    hint = f"write --set {name}=VALUE, a list with commas between its items"
    return UsageError("bad-path", f"--set {name}: a variable cannot be added to", hint=hint)


def _unknown(path: str, word: str, known: Iterable[str]) -> UsageError:
    names = tuple(known)
    hint = did_you_mean(word, names) or (f"known here: {', '.join(names)}" if names else "")
    problem = f"'{word}' cannot be set" if word else "this is a mapping; name a key in it"
    return UsageError("unknown-path", f"--set {path}: {problem}", hint=hint)
