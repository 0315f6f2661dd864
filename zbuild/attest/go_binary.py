"""The modules that a Go program was linked from, which its linker writes into it (Go's debug/buildinfo).

The section `.go.buildinfo` of an ELF file begins with a magic number; since Go 1.18 two texts follow at byte 32, each
behind its length as a varint: Go's version, and lines that tell of the modules, between two marks of 16 bytes.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from zbuild.attest.package import Package, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ELF, _MAGIC = b"\x7fELF", b"\xff Go buildinf:"
_SECTION = b".go.buildinfo"
_INLINE = 2  # the flag of texts that follow at once
_HEADER, _MARK = 32, 16
_LARGEST = 4 << 20
_MOST_SECTIONS = 4096
_VARINT_BITS = 35


def go_modules(handle: int) -> tuple[Package, ...]:
    """Return the main module of an open program, those it depends on, and Go's own library; none for other files."""
    if os.pread(handle, 4, 0) != _ELF:
        return ()
    try:
        section = _section(handle)
        if not section.startswith(_MAGIC) or not section[15] & _INLINE:
            return ()
        version, at = _text(section, _HEADER)
        modules, _ = _text(section, at)
    except (struct.error, IndexError, UnicodeDecodeError, OSError) as error:
        raise UnreadableError(f"a damaged program: {error}") from None
    return (*_standard(version), *_modules(modules[_MARK:-_MARK]))


def _section(handle: int) -> bytes:
    """Return the section of an ELF file that Go's linker made, b"" for one that has none."""
    head = os.pread(handle, 64, 0)
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"  # noqa: PLR2004 - ELFCLASS64, ELFDATA2LSB
    offset = struct.unpack_from(f"{order}Q" if wide else f"{order}I", head, 40 if wide else 32)[0]
    size, count, names = struct.unpack_from(f"{order}HHH", head, 58 if wide else 46)
    if count > _MOST_SECTIONS:
        return b""
    table = os.pread(handle, size * count, offset)
    sections = [_place(table, number * size, order, wide=wide) for number in range(count)]
    texts = os.pread(handle, min(sections[names][2], _LARGEST), sections[names][1]) if names < count else b""
    for name, start, length in sections:
        if texts[name : name + len(_SECTION) + 1] == _SECTION + b"\0":
            return os.pread(handle, min(length, _LARGEST), start)
    return b""


def _place(table: bytes, at: int, order: str, *, wide: bool) -> tuple[int, int, int]:
    """Return (place of the name, place in the file, size) of a section."""
    name = struct.unpack_from(f"{order}I", table, at)[0]
    start, length = struct.unpack_from(f"{order}QQ" if wide else f"{order}II", table, at + (24 if wide else 16))
    return name, start, length


def _text(data: bytes, at: int) -> tuple[str, int]:
    """Return the text at a place, and the place behind it."""
    length = 0
    for shift in range(0, _VARINT_BITS, 7):
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            break
    # Marks around the modules are no UTF-8.
    return data[at : at + length].decode("utf-8" if length < _MARK else "latin-1"), at + length


def _standard(version: str) -> Iterator[Package]:
    if version.startswith("go"):
        yield Package("golang", "stdlib", version.split(maxsplit=1)[0].removeprefix("go"))


def _modules(text: str) -> Iterator[Package]:
    """Yield the modules of lines such as `dep<TAB>path<TAB>version<TAB>sum`; `=>` replaces the one before it."""
    found: list[Package] = []
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        if kind in ("mod", "dep") and len(fields) > 1:
            found.append(_module(*fields[:2]))
        elif kind == "=>" and len(fields) > 1 and found and not fields[0].startswith((".", "/")):
            found[-1] = _module(*fields[:2])
    yield from found


def _module(path: str, version: str) -> Package:
    namespace, _, name = path.rpartition("/")
    return Package("golang", name, version, namespace)
