"""Platforms: `os/architecture[/variant]`, normalised as OCI names them."""

from __future__ import annotations

import platform as host

from zbuild.base.dataclass import dataclass
from zbuild.base.text import did_you_mean

_SYSTEMS = ("linux", "windows", "freebsd", "darwin", "wasi", "wasip1")
# Of what Go is made for, as Docker does. Where an os is written as well, any word is taken: images can be for anything.
_KNOWN = frozenset(
    [
        "386",
        "amd64",
        "arm",
        "arm64",
        "loong64",
        "mips",
        "mipsle",
        "mips64",
        "mips64le",
        "ppc64",
        "ppc64le",
        "riscv64",
        "s390x",
        "sparc64",
        "wasm",
    ]
)
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armv7l": "arm",
    "i386": "386",
    "i686": "386",
}


@dataclass(frozen=True, slots=True)
class Platform:
    """An image's platform. `variant` is empty where the architecture has none."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def parse_platform(text: str) -> Platform:
    """Parse `linux/arm64/v8`; a lone word is an os or an architecture, the rest being the host's.

    Raises ValueError when there are more than three parts or an empty one, and when nobody knows a lone word.
    """
    parts = text.strip().lower().split("/")
    if len(parts) > 3 or not all(parts):  # noqa: PLR2004 - os, architecture, variant
        msg = f"'{text}' is not a platform; write os/architecture, like linux/arm64"
        raise ValueError(msg)
    if len(parts) == 1:
        return _of_word(parts[0])
    return _normal(parts[0], parts[1], parts[2] if len(parts) > 2 else "")  # noqa: PLR2004


def _of_word(word: str) -> Platform:
    if word in _SYSTEMS:
        return Platform(word, host_platform().architecture)
    found = _normal(host_platform().os, word, "")
    if found.architecture not in _KNOWN:
        known = (*_SYSTEMS, *sorted(_KNOWN), *_ARCHITECTURES)
        hint = did_you_mean(word, known) or "write os/architecture, like linux/arm64"
        msg = f"'{word}' is neither an os nor an architecture; {hint}"
        raise ValueError(msg)
    return found


def _normal(system: str, machine: str, variant: str) -> Platform:
    architecture = _ARCHITECTURES.get(machine, machine)
    if architecture == "arm64" and variant in ("8", "v8"):
        variant = ""
    if architecture == "arm" and not variant:
        variant = "v7"
    return Platform(system, architecture, variant)


def host_platform() -> Platform:
    """Return this machine's platform."""
    return _normal(host.system().lower() or "linux", host.machine().lower() or "amd64", "")
