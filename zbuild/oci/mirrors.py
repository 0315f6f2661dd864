"""Reads from a mirror where registries.conf names one, and from the registry itself where no mirror has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from zbuild.base.errors import RegistryError
from zbuild.oci.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.base.reference import Reference
    from zbuild.oci.hosts import Hosts, Place

_T = TypeVar("_T")


class Mirrors:
    """Finds who answers; a mirror that is not there is asked no more. Safe for threads."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._gone: set[str] = set()

    def first(self, reference: Reference, ask: Callable[[Place], _T], once: Callable[[Place], _T]) -> _T:
        """Return the first answer: `once` asks a mirror, without patience, and `ask` the registry itself.

        Raises what `ask` does.
        """
        for place in self._hosts.mirrors(reference):
            if place.host in self._gone:
                continue
            try:
                return once(place)
            except TransientError:
                self._gone.add(place.host)
            except RegistryError:
                continue
        return ask(self._hosts.place(reference))
