"""What a remote cache is: records under keys, and layers under their diff ids. Each write is whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class MissingLayerError(RegistryError):
    """A layer is not where a record says: the place works, but the record is of no use."""


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """A layer's tar, packed into a file of this machine; `digest` (`sha256:…`) and `size` are the file's."""

    diff_id: str
    file: Path
    digest: str
    size: int


class RemoteStore(Protocol):
    """One place. Calls may come from several threads; all raise RegistryError when the place fails or refuses."""

    name: str

    def read_record(self, key: str) -> bytes | None:
        """Return the record under a key; None when there is none."""
        ...

    def write_record(self, key: str, data: bytes, diff_ids: Sequence[str], *, replace: bool) -> None:
        """Keep a record, whose layers are there; one that is there already stays unless it is to be replaced."""
        ...

    def has_layer(self, diff_id: str) -> bool:
        """Tell whether a layer is there, as far as can be known cheaply."""
        ...

    def read_layer(self, diff_id: str) -> Iterator[bytes]:
        """Yield a packed layer, bit by bit. Raises MissingLayerError."""
        ...

    def write_layer(self, layer: PackedLayer) -> None:
        """Keep a packed layer."""
        ...

    def close(self) -> None:
        """Break off what is under way, and release what is held."""
        ...


ItemKind: TypeAlias = Literal["record", "layer", "rest"]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """Something that a store holds: `name` is a record's key or a layer's diff id, `used` a unix time.

    `rest` is what was begun and never finished; its name says where it lies.
    """

    kind: ItemKind
    name: str
    size: int
    used: float


class PrunableStore(RemoteStore, Protocol):
    """A store that can tell what it holds, and let go of it."""

    def peek_record(self, key: str) -> bytes | None:
        """Return the record under a key, which does not count as used by that; None when there is none."""
        ...

    def items(self) -> Iterator[StoredItem]:
        """List everything."""
        ...

    def remove(self, item: StoredItem) -> None:
        """Remove one thing; that it is gone already is no error."""
        ...
