"""The packages of distributions: what dpkg and apk keep of what they installed (deb-control(5), apk-package(5))."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from zbuild.attest.package import Package
from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

_RELEASES = (b"etc/os-release", b"usr/lib/os-release")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class System:
    """The distribution an image is made of, "" where that is not told: `debian` and `12`, for example."""

    id: str = ""
    version: str = ""

    @classmethod
    def read(cls, root: bytes) -> System:
        """Read os-release(5) below a root."""
        for name in _RELEASES:
            try:
                handle = os.open(os.path.join(root, name), _READ)  # noqa: PTH118 - paths are bytes
            except OSError:  # one of them is a link to the other
                continue
            with os.fdopen(handle, "rb", buffering=0) as file:
                told = _assignments(file.read(_LARGEST).decode("utf-8", "replace"))
            return cls(told.get("ID", ""), told.get("VERSION_ID", ""))
        return cls()

    def qualifiers(self, architecture: str) -> tuple[tuple[str, str], ...]:
        """Return what tells a package of this system from equal ones elsewhere."""
        distribution = f"{self.id}-{self.version}" if self.version else self.id
        return tuple((name, value) for name, value in (("arch", architecture), ("distro", distribution)) if value)


def dpkg(data: bytes, system: System) -> Iterator[Package]:
    """Yield what dpkg's status tells to be installed; distroless images have a file of it for each package."""
    for fields in _paragraphs(data):
        state = fields.get("Status", "install ok installed")
        if state.endswith(" installed") and fields.get("Package") and fields.get("Version"):
            qualifiers = system.qualifiers(fields.get("Architecture", ""))
            yield Package("deb", fields["Package"], fields["Version"], system.id or "debian", qualifiers)


def apk(data: bytes, system: System) -> Iterator[Package]:
    """Yield what apk's database tells to be installed: its fields have one letter, P the name and V the version."""
    for fields in _paragraphs(data):
        if fields.get("P") and fields.get("V"):
            yield Package(
                "apk", fields["P"], fields["V"], system.id or "alpine", system.qualifiers(fields.get("A", ""))
            )


def _paragraphs(data: bytes) -> Iterator[dict[str, str]]:
    """Yield paragraphs of `Name: value` lines; of names given twice the first counts."""
    for paragraph in data.decode("utf-8", "replace").split("\n\n"):
        fields: dict[str, str] = {}
        for line in paragraph.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith((" ", "\t")):
                fields.setdefault(name, value.strip())
        yield fields


def _assignments(text: str) -> dict[str, str]:
    """Return the variables of a file that a shell could read."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            try:
                found[name] = "".join(shlex.split(value))
            except ValueError:
                continue
    return found
