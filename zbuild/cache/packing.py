"""Layers on their way: tars packed with zstd, and unpacked again only as far as they are what they should be."""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING, Any

import zstandard

from zbuild.cache.entry import EntryError
from zbuild.cache.protocol import PackedLayer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LEVEL = 3
_CHUNK = 1 << 20


def pack(diff_id: str, tar: Path, packed: Path, check: Callable[[], None]) -> PackedLayer:
    """Pack a layer's tar into a file. `check` is called now and then, and may raise. Raises OSError."""
    hashed = hashlib.sha256()
    size = 0
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    with tar.open("rb") as source, packed.open("wb") as target:
        for chunk in compressor.read_to_iter(source, read_size=_CHUNK, write_size=_CHUNK):
            check()
            hashed.update(chunk)
            size += target.write(chunk)
    return PackedLayer(diff_id, packed, f"sha256:{hashed.hexdigest()}", size)


def unpack(chunks: Iterator[bytes], diff_id: str, size: int, target: Path, check: Callable[[], None]) -> None:
    """Unpack a layer into a file, of exactly `size` bytes.

    Raises EntryError when it comes to something else, EntryError or what `chunks` raises when it breaks off.
    """
    with target.open("wb") as file:
        sink = _Sink(file, size)
        try:
            with zstandard.ZstdDecompressor().stream_writer(sink, closefd=False) as writer:  # type: ignore[arg-type] # it only writes
                for chunk in chunks:
                    check()
                    writer.write(chunk)
        except zstandard.ZstdError as error:
            raise EntryError(f"the layer {diff_id[:19]} is damaged ({error})") from error
        if sink.digest != diff_id:
            raise EntryError(f"the layer {diff_id[:19]} comes to {sink.digest[:19]}")


class _Sink:
    """Takes what is unpacked, no more of it than there should be: what is packed small may be large without end."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size
        self._hash = hashlib.sha256()

    def write(self, data: Any) -> int:  # noqa: ANN401 - some kind of buffer
        self._left -= len(data)
        if self._left < 0:
            raise EntryError("a layer is larger than its record says")
        self._hash.update(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
