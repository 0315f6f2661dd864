"""What can be said of COPY's and ADD's URLs and git references before their variables are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.syntax.remote import is_remote, parse_remote, with_checksum

if TYPE_CHECKING:
    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.model.ops import Copy

_QUOTES = "\"'"


def is_remote_word(word: str) -> bool:
    """Tell whether a word is a URL or a git reference, whatever its variables stand for."""
    return is_remote(word.strip(_QUOTES))


def check_sources(op: Copy, sources: Span, checksum: Span, problems: Diagnostics) -> None:
    """Note what is wrong with an instruction's remote sources, and with its checksum, as far as they are known.

    `sources` and `checksum` are where these stand.
    """
    if not op.extract:
        for _ in filter(is_remote_word, op.sources):
            problems.error("bad-argument", "COPY does not read URLs and git references", sources, "ADD reads them")
        return
    if op.checksum and len(op.sources) + len(op.inline) != 1:
        problems.error("bad-argument", "a checksum needs exactly one source", checksum)
        return
    for source in op.sources:
        try:
            _check(source, op.checksum)
        except _ChecksumError as error:
            problems.error("bad-checksum", str(error), checksum)
        except ValueError as error:
            problems.error("bad-source", str(error), sources)


class _ChecksumError(ValueError):
    """A checksum that does not fit its source."""


def _check(source: str, checksum: str) -> None:
    if "$" in source or not (checksum or is_remote_word(source)):
        return
    origin = parse_remote(source.strip(_QUOTES))
    if origin is None:
        raise _ChecksumError("only URLs and git references have a checksum")
    if "$" not in checksum:
        try:
            with_checksum(origin, checksum)
        except ValueError as error:
            raise _ChecksumError(str(error)) from None
