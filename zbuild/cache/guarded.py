"""A remote cache that may fail: reading then finds nothing, writing is left, and users are told once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from zbuild.base.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from zbuild.cache.protocol import PackedLayer, RemoteStore

_T = TypeVar("_T")


class GuardedStore:
    """A store, and whether it is still worth asking: one that failed once is let be for the rest of the run."""

    def __init__(self, name: str, make: Callable[[], RemoteStore], warn: Callable[[str], None]) -> None:
        self.name = name
        self._make = make
        self._made: RemoteStore | None = None
        self._warn = warn
        self._lock = threading.Lock()
        self._failed = False

    @property
    def store(self) -> RemoteStore:
        """The store itself, made when it is first asked for."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    @property
    def works(self) -> bool:
        """Whether nothing has failed yet."""
        return not self._failed

    def read_record(self, key: str) -> bytes | None:
        """Return the record under a key; None also when the store fails."""
        return self._tried(lambda: self.store.read_record(key), None)

    def write_record(self, key: str, data: bytes, diff_ids: Sequence[str], *, replace: bool) -> None:
        """Keep a record, if the store works."""
        self._tried(lambda: self.store.write_record(key, data, diff_ids, replace=replace), None)

    def has_layer(self, diff_id: str) -> bool:
        """Tell whether a layer is there; when the store fails, it need not be brought."""
        return self._tried(lambda: self.store.has_layer(diff_id), default=True)

    def read_layer(self, diff_id: str) -> Iterator[bytes]:
        """Yield a packed layer. Raises RegistryError: whoever reads must know."""
        return self.store.read_layer(diff_id)

    def write_layer(self, layer: PackedLayer) -> None:
        """Keep a packed layer, if the store works."""
        self._tried(lambda: self.store.write_layer(layer), None)

    def _tried(self, work: Callable[[], _T], default: _T) -> _T:
        if self._failed:
            return default
        try:
            return work()
        except RegistryError as error:
            self.fail(error)
            return default

    def fail(self, error: RegistryError) -> None:
        """Note that the store has failed, and say so, once."""
        with self._lock:
            first, self._failed = not self._failed, True
        if first:
            hint = f" ({error.hint})" if error.hint else ""
            self._warn(f"the remote cache {self.name} is not used any more in this run: {error.message}{hint}")

    def close(self) -> None:
        """Release what the store holds."""
        with self._lock:
            made = self._made
        if made is not None:
            made.close()
