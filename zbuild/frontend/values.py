"""Values of YAML build files as the IR wants them: as words, where quotes and backslashes mean more than in YAML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from zbuild.base.duration import parse_duration
from zbuild.model.mounts import CacheMount
from zbuild.model.ops import ExecForm, ShellForm
from zbuild.syntax.nodes import Scalar, scalars_of
from zbuild.syntax.words import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.model.mounts import Sharing
    from zbuild.model.ops import Command, Pairs
    from zbuild.syntax.nodes import Mapping, Node

_SPECIAL = re.compile(r"[\s'\"\\`]")
_MAX_NANOSECONDS = 2**63 - 1  # images carry durations as Go's int64


def word(text: str) -> str:
    """Return a word that stands for `text`, with only its variables to be expanded."""
    return quote(text) if _SPECIAL.search(text) else text


def word_of(node: Mapping, key: str) -> str:
    """Return the word for the text under a key; "" when there is none."""
    return word(node.text(key))


def words_of(node: Mapping, key: str) -> tuple[str, ...]:
    """Return the words for the texts under a key."""
    return tuple(word(scalar.text) for scalar in node.scalars(key))


def word_pairs(node: Mapping) -> Pairs:
    """Return a mapping's names and values as words."""
    return tuple((word(key.text), word(value.text)) for key, value in node.pairs())


def command_of(node: Node | None) -> Command | None:
    """Return a command, which is taken as it is: a text for the shell, or a list of arguments."""
    if node is None:
        return None
    if isinstance(node, Scalar):
        return ShellForm(node.text)
    return ExecForm(tuple(item.text for item in scalars_of(node)))


def duration_of(node: Mapping, key: str, diagnostics: Diagnostics) -> int:
    """Return the duration under a key in nanoseconds, 0 when there is none; what is none is noted as an error."""
    value = node.scalar(key)
    if value is None:
        return 0
    try:
        duration = parse_duration(value.text)
    except (ValueError, OverflowError):
        duration = -1
    if 0 <= duration <= _MAX_NANOSECONDS:
        return duration
    message = f"'{key}': '{value.text}' is not a duration"
    diagnostics.error("bad-duration", message, value.span, "write it like 30s, 1m30s or 500ms")
    return 0


def cache_mounts(nodes: tuple[Mapping, ...]) -> Iterator[CacheMount]:
    """Yield the cache mounts that a list of them describes."""
    for node in nodes:
        sharing = cast("Sharing", node.text("sharing") or "shared")  # the schema allows no other words
        yield CacheMount(word_of(node, "target"), word_of(node, "id"), sharing, node.flag("readonly"))
