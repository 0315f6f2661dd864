"""COPY and ADD → steps: one for neighbouring sources of a context, stage or image, one for each on another machine.

The steps land in the order in which the sources stand, so that of two files with one name the later one holds.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.base.filemode import parse_file_mode
from zbuild.model.remote import GitOrigin, UrlOrigin
from zbuild.model.steps import CopyStep, Selection
from zbuild.plan.sources import components
from zbuild.syntax.remote import is_remote, parse_remote, with_checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbuild.model.ops import Copy, Pairs
    from zbuild.model.remote import RemoteOrigin
    from zbuild.model.steps import Origin

# What neighbouring sources are taken from (None: the instruction's own origin), and their names there.
_Part: TypeAlias = "tuple[RemoteOrigin | None, tuple[str, ...]]"
_SHOWN = 160
_PATTERN_CHARACTERS = re.compile(r"[\\*?\[]")


@dataclass(frozen=True, slots=True)
class Landing:
    """What an instruction's steps share: its destination, absolute and as written, its here-documents, its origin."""

    dest: str
    written: str
    inline: Pairs
    origin: Origin


def copy_steps(op: Copy, landing: Landing, word: Callable[[str], str]) -> Iterator[CopyStep]:
    """Yield the steps of a COPY or ADD; `word` expands a word.

    Raises ValueError for a URL that is malformed or stands in a COPY, for a checksum that does not fit, and for what
    is no mode.
    """
    parts = _parts(op, tuple(map(word, op.sources)), word(op.checksum))
    if not parts or (landing.inline and parts[-1][0]):
        parts.append((None, ()))
    folder = landing.dest.rstrip("/") + "/"
    shared = CopyStep(
        landing.origin,
        Selection((), tuple(map(word, op.exclude)), op.parents),
        landing.dest if len(parts) == 1 else folder,
        word(op.owner),
        _mode(word(op.mode)),
        span=op.span,
    )
    last = len(parts) - 1
    for index, (origin, names) in enumerate(parts):
        inline = landing.inline if index == last else ()
        step = replace(shared, extract=op.extract and op.unpack is not False, inline=inline)
        shown = (*names, *(f"<<{name}" for name, _ in inline))
        if origin is not None:
            shown = (origin.shown, *shown[len(names) :])
            step = replace(step, origin=origin, extract=op.unpack is True and isinstance(origin, UrlOrigin))
            names = (_path(origin),)  # noqa: PLW2901 - within the origin's files
        elif isinstance(landing.origin, GitOrigin):
            names = within(landing.origin, *names, parents=op.parents)  # noqa: PLW2901 - likewise
        yield replace(step, selection=replace(shared.selection, sources=names), text=_text(op, shown, landing.written))


def _mode(text: str) -> str:
    if text:
        parse_file_mode(text)
    return text


def within(origin: GitOrigin, *sources: str, parents: bool = False) -> tuple[str, ...]:
    """Return the sources in the folder of a repository that an origin names, as they are in the whole of it."""
    if not origin.subdir:
        return sources
    folder = _path(origin)
    if parents:  # what lands begins behind the pivot
        return tuple(f"{folder}{'/' if '/./' in source else '/./'}{source.lstrip('/')}" for source in sources)
    return tuple("/".join((folder, *components(source))) for source in sources)


def _parts(op: Copy, sources: tuple[str, ...], checksum: str) -> list[_Part]:
    parts: list[_Part] = []
    for source in sources:
        origin = _origin(op, source, checksum)
        if origin is None and parts and parts[-1][0] is None:
            parts[-1] = (None, (*parts[-1][1], source))
        else:
            parts.append((origin, (source,)))
    if checksum and (len(parts) != 1 or parts[0][0] is None):
        raise ValueError("a checksum needs exactly one source, a URL or a git reference")
    return parts


def _origin(op: Copy, source: str, checksum: str) -> RemoteOrigin | None:
    """Return what a source means on another machine, all that the instruction says of it included."""
    if not op.extract and is_remote(source):
        raise ValueError("COPY does not read URLs and git references; ADD does")
    origin = parse_remote(source)
    if origin is None:
        return None
    if op.source:
        raise ValueError(f"'{origin.shown}' cannot be taken from '{op.source}'")
    if isinstance(origin, GitOrigin) and op.keep_git_dir is not None:
        if origin.keep_git_dir and not op.keep_git_dir:
            raise ValueError(f"'{origin.shown}' asks for .git, and --keep-git-dir=false does not")
        origin = replace(origin, keep_git_dir=op.keep_git_dir)
    return with_checksum(origin, checksum)


def _path(origin: RemoteOrigin) -> str:
    """Return what is taken of an origin's files, as a selection's source: it is a name, never a pattern."""
    name = origin.name if isinstance(origin, UrlOrigin) else origin.subdir or "."
    return _PATTERN_CHARACTERS.sub(r"\\\g<0>", name)


def _text(op: Copy, shown: tuple[str, ...], dest: str) -> str:
    instruction = "ADD" if op.extract else "COPY"
    origin = f" --from={op.source}" if op.source else ""
    return " ".join((f"{instruction}{origin}", *shown, dest))[:_SHOWN]
