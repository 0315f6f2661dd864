"""Registries, asked what references mean, by the client of `oci`; it is opened when there is something to ask."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from zbuild.base.errors import RegistryError
from zbuild.base.reference import Reference, parse_reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from zbuild.base.platform import Platform
    from zbuild.fetch.meanings import Pace
    from zbuild.oci.registry import Registry
    from zbuild.oci.retries import Limits

_LARGEST = 8 << 20  # bytes of a configuration


class Registries:
    """Clients for one run, from any thread; `opener` opens one. `close` ends what waits, and refuses what comes."""

    def __init__(self, opener: Callable[[Limits], Registry]) -> None:
        self._opener = opener
        self._open: dict[Pace, RegistryAsker] = {}
        self._guard = threading.Lock()
        self._closed = False

    def asker(self, pace: Pace) -> RegistryAsker:
        """Return what asks registries: for two seconds at most when it is `hurried`, while faults may pass."""
        from zbuild.oci.retries import Limits  # noqa: PLC0415 - few runs ask

        with self._guard:
            if pace not in self._open:
                limits = Limits(connect=5.0, stall=5.0, patience=2.0) if pace == "hurried" else Limits()
                self._open[pace] = RegistryAsker(self._opener(limits))
                if self._closed:
                    self._open[pace].close()
            return self._open[pace]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the clients, and those that are asked for later."""
        with self._guard:
            self._closed = True
            for asker in self._open.values():
                asker.close()


class RegistryAsker:
    """Asks as `Meanings` wants it; see `Asker` there."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def close(self) -> None:
        """End what waits for a registry."""
        self._registry.close()

    def head(self, reference: str) -> str:
        """Return the digest of what a registry has under a reference."""
        return self._registry.head_manifest(parse_reference(reference)).digest

    def manifest(self, reference: str, digest: str, platform: Platform) -> tuple[str, str]:
        """Return the digest of a platform's manifest, and that of its configuration."""
        found = self._registry.manifest(_exact(reference, digest))
        if found.is_index:
            chosen = self._registry.choose(found, parse_reference(reference), platform)
            found = self._registry.manifest(_exact(reference, chosen))
        try:
            return found.digest, found.config().digest
        except ValueError as error:
            raise RegistryError("registry-answer", f"the manifest of {reference} cannot be read: {error}") from None

    def config(self, reference: str, digest: str) -> bytes:
        """Return an image's configuration by its digest."""
        data = b""
        for chunk in self._registry.blob(_exact(reference, ""), digest):
            data += chunk
            if len(data) > _LARGEST:
                raise RegistryError("registry-answer", f"the configuration of {reference} is larger than 8 MiB")
        return data


def _exact(reference: str, digest: str) -> Reference:
    parsed = parse_reference(reference)
    return Reference(parsed.domain, parsed.path, digest=digest)
