"""EXPOSE's ports, normalised to `number/protocol`."""

from __future__ import annotations

_HIGHEST = 65535
_PROTOCOLS = ("tcp", "udp", "sctp")


def expand_ports(text: str) -> tuple[str, ...]:
    """Return every port of `80`, `80/udp` or `8000-8010/tcp`.

    Raises ValueError for what is none of these.
    """
    numbers, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    first, dash, last = numbers.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not dash)) or protocol not in _PROTOCOLS:
        raise ValueError(f"'{text}' is not a port; write 80, 80/udp or 8000-8010")
    low, high = int(first), int(last or first)
    if not low <= high <= _HIGHEST:
        raise ValueError(f"'{text}' is not a port: ports go from 0 to {_HIGHEST}, the lower one first")
    return tuple(f"{port}/{protocol}" for port in range(low, high + 1))
