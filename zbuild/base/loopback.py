"""Which registries are on this machine: those alone are spoken to without TLS unasked."""

from __future__ import annotations

import ipaddress


def is_loopback(domain: str) -> bool:
    """Tell whether a registry is on this machine, where docker too accepts plain http."""
    host = domain.rpartition(":")[0] if domain.rpartition(":")[2].isdecimal() else domain
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
