"""Canonical hashing: equal values have equal digests, on every machine and in every run.

xxh3_128 names keys and files on one machine, where no adversary is in the loop; sha256 names what machines share.
"""

from __future__ import annotations

from typing import TypeAlias

import xxhash

Canonical: TypeAlias = "bool | int | str | bytes | tuple[Canonical, ...] | None"


def canonical(value: Canonical) -> bytes:
    """Encode a value without ambiguity: every item carries its type and its length.

    Text is UTF-8 with surrogateescape, so that any file name can be told apart from any other.
    """
    parts: list[bytes] = []
    _encode(value, parts)
    return b"".join(parts)


def _encode(value: Canonical, parts: list[bytes]) -> None:
    match value:
        case str():
            data = value.encode("utf-8", "surrogateescape")
            parts.append(b"s%d:" % len(data) + data)
        case bytes():
            parts.append(b"b%d:" % len(value) + value)
        case None:
            parts.append(b"n")
        case bool():
            parts.append(b"t" if value else b"f")
        case int():
            parts.append(b"i%d;" % value)
        case tuple():
            parts.append(b"(%d:" % len(value))
            for item in value:
                _encode(item, parts)


def xxh(value: Canonical) -> str:
    """Return the xxh3_128 of the canonical form, as 32 hex digits."""
    return xxhash.xxh3_128_hexdigest(canonical(value))


def sha256(value: Canonical) -> str:
    """Return the sha256 of the canonical form, as 64 hex digits."""
    import hashlib  # noqa: PLC0415 - it loads OpenSSL, 4 ms, and what stays on one machine is named by xxh3

    return hashlib.sha256(canonical(value)).hexdigest()
