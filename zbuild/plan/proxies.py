"""The proxies that a build is given as arguments: RUN sees them without an ARG, and no key, image or record does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from zbuild.model.ops import Pairs

PROXY_ARGS = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
"""Docker's predefined arguments, whatever their case."""


def proxy_settings(given: Mapping[str, str], declared: Collection[str]) -> Pairs:
    """Return what RUN is told of the proxies among the arguments given: each name in both cases, as in BuildKit.

    Those that the stage declares itself (ARG, ENV) are left out: they are variables like any other.
    """
    found: dict[str, str] = {}
    for name in PROXY_ARGS:
        spellings = (name, name.upper())
        values = [given[key] for key in (*spellings, *given) if key in given and key.lower() == name]
        if values:
            found |= {key: given.get(key, values[0]) for key in spellings if key not in declared}
    return tuple(found.items())
