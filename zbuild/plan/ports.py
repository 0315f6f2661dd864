"""EXPOSE's ports, normalised to `number/protocol`."""

from __future__ import annotations

import re

_HIGHEST = 65535
_PROTOCOLS = ("tcp", "udp", "sctp")
_HOST_PORTS = re.compile(r"(?:[0-9]+(?:-[0-9]+)?)?")


def expand_ports(text: str) -> tuple[str, ...]:
    """Return every port of `80`, `80/udp` or `8000-8010/tcp`.

    An address and a host's port before it (`127.0.0.1:8080:80`) mean nothing in an image: BuildKit takes and drops
    them, and lint tells. Raises ValueError for what is none of these.
    """
    outside, _, inside = text.rpartition(":")
    numbers, _, protocol = inside.partition("/")
    protocol = protocol.lower() or "tcp"
    first, dash, last = numbers.partition("-")
    known = _HOST_PORTS.fullmatch(outside.rpartition(":")[2]) and protocol in _PROTOCOLS
    if not known or not (first.isdecimal() and (last.isdecimal() or not dash)):
        raise ValueError(f"'{text}' is not a port; write 80, 80/udp or 8000-8010")
    low, high = int(first), int(last or first)
    if not low <= high <= _HIGHEST:
        raise ValueError(f"'{text}' is not a port: ports go from 0 to {_HIGHEST}, the lower one first")
    return tuple(f"{port}/{protocol}" for port in range(low, high + 1))
