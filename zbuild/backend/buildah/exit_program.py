"""The smallest program there is: an ELF file that exits with 0, to learn whether one runs at all."""

from __future__ import annotations

import struct
from typing import NamedTuple

_BASE = 0x400000
_STATIC = 2


class _Machine(NamedTuple):
    """An architecture: e_machine and e_flags of the ELF specification, and the system call exit(0) (syscall(2))."""

    number: int
    code: str
    bits: int = 64
    order: str = "<"
    flags: int = 0


# By the names that OCI has for architectures.
_MACHINES = {
    "amd64": _Machine(62, "31ff 6a3c 58 0f05"),  # xor edi, edi; push 60; pop rax; syscall
    "386": _Machine(3, "31db 31c0 40 cd80", 32),  # xor ebx, ebx; xor eax, eax; inc eax; int 0x80
    "arm64": _Machine(183, "000080d2 a80b80d2 010000d4"),  # mov x0, 0; mov x8, 93; svc 0
    "arm": _Machine(40, "0000a0e3 0170a0e3 000000ef", 32, flags=0x5000000),  # mov r0, 0; mov r7, 1; svc 0
    "riscv64": _Machine(243, "13050000 9308d005 73000000"),  # li a0, 0; li a7, 93; ecall
    "ppc64le": _Machine(21, "00006038 01000038 02000044", flags=2),  # li r3, 0; li r0, 1; sc
    "s390x": _Machine(22, "a7290000 0a01", order=">"),  # lghi r2, 0; svc 1
}


def exit_program(architecture: str) -> bytes | None:
    """Return an executable for an architecture as OCI names it, None where none is known."""
    if architecture not in _MACHINES:
        return None
    machine = _MACHINES[architecture]
    code = bytes.fromhex(machine.code)
    wide = machine.bits == 64  # noqa: PLR2004 - bits of an address
    headers, segment_size = (64, 56) if wide else (52, 32)
    entry, size = _BASE + headers + segment_size, headers + segment_size + len(code)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if machine.order == ">" else 1, 1]) + bytes(9)
    sizes = (headers, segment_size, 1, 0, 0, 0)
    fields = (ident, _STATIC, machine.number, 1, entry, headers, 0, machine.flags, *sizes)
    header = struct.pack(f"{machine.order}16sHHI{'QQQ' if wide else 'III'}IHHHHHH", *fields)
    if wide:
        segment = struct.pack(f"{machine.order}IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    else:
        segment = struct.pack(f"{machine.order}IIIIIIII", 1, 0, _BASE, _BASE, size, size, 5, 0x1000)
    return header + segment + code
