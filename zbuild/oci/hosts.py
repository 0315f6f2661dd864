"""Where registries are, and which are spoken to without TLS: registries.conf and certs.d.

They are read as podman and buildah read them; see containers-registries.conf(5) and containers-certs.d(5).
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import UsageError
from zbuild.base.loopback import is_loopback
from zbuild.oci.connections import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zbuild.base.reference import Reference

_HUB = "docker.io"
_HUB_SERVER = "registry-1.docker.io"  # where the registry of docker.io is
_SYSTEM = "/etc/containers"
_CERTIFICATES = ("/etc/containers/certs.d", "/etc/docker/certs.d")


@dataclass(frozen=True, slots=True)
class Place:
    """A repository as it is asked for: the registry, whose credentials count, the host that serves it, the path there.

    An `insecure` host may have no TLS, or a certificate that nobody vouches for.
    """

    domain: str
    host: str
    path: str
    insecure: bool = False


class Hosts:
    """What this machine's settings say of registries; `settings` are the `[[registry]]` tables."""

    def __init__(self, settings: Sequence[Mapping[str, Any]] = ()) -> None:
        self._settings = tuple(settings)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Hosts:
        """Read the settings of this machine and user. Raises UsageError for files that are not TOML."""
        tables: dict[str, Mapping[str, Any]] = {}
        for file in _files(environment):
            for table in _load(file).get("registry", ()):
                tables[str(table.get("prefix") or table.get("location", ""))] = table
        return cls(tuple(tables.values()))

    def place(self, reference: Reference) -> Place:
        """Return where a reference's repository is. Raises UsageError for one that registries.conf blocks."""
        table, prefix = self._table(reference.name)
        if table.get("blocked"):
            message = f"registries.conf blocks {prefix}"
            raise UsageError("registry-blocked", message, hint="name another registry, or unblock this one there")
        return _moved(reference.name, prefix, table)

    def mirrors(self, reference: Reference) -> tuple[Place, ...]:
        """Return where else a reference can be read, to be asked before its own place."""
        table, prefix = self._table(reference.name)
        wanted = ("all", "digest-only" if reference.digest else "tag-only")
        default = "digest-only" if table.get("mirror-by-digest-only") else "all"
        mirrors = [mirror for mirror in table.get("mirror", ()) if mirror.get("pull-from-mirror", default) in wanted]
        return tuple(_moved(reference.name, prefix, mirror) for mirror in mirrors)

    def trust(self, host: str) -> Trust:
        """Return whom to trust at a host that must be verified."""
        authorities, clients = [], []
        for folder in (Path(one, host) for one in _CERTIFICATES):
            authorities += [str(file) for file in sorted(folder.glob("*.crt"))]
            clients += [(str(file), str(file.with_suffix(".key"))) for file in sorted(folder.glob("*.cert"))]
        return Trust(authorities=tuple(authorities), client=clients[0] if clients else None)

    def _table(self, name: str) -> tuple[Mapping[str, Any], str]:
        """Return the settings with the longest prefix of a repository's name, and that prefix."""
        found: tuple[Mapping[str, Any], str] = {}, ""
        for table in self._settings:
            prefix = str(table.get("prefix") or table.get("location", ""))
            if _covers(prefix, name) and len(prefix) > len(found[1]):
                found = table, prefix
        return found


def _moved(name: str, prefix: str, table: Mapping[str, Any]) -> Place:
    """Return the place of a repository whose name begins with `prefix`, as the settings for that prefix have it."""
    if table.get("location"):
        rest = name.partition("/")[2] if prefix.startswith("*.") else name.removeprefix(prefix).lstrip("/")
        name = f"{table['location']}/{rest}"
    registry, _, path = name.partition("/")
    insecure = is_loopback(registry) or bool(table.get("insecure"))
    return Place(registry, _HUB_SERVER if registry == _HUB else registry, path.rstrip("/"), insecure)


def _covers(prefix: str, name: str) -> bool:
    if prefix.startswith("*."):
        return name.partition("/")[0].endswith(prefix[1:])
    return bool(prefix) and (name == prefix or name.startswith(f"{prefix}/"))


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files that hold settings, the later ones to win."""
    given = environment.get("CONTAINERS_REGISTRIES_CONF")
    own = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "/"), ".config"), "containers")
    if given:
        yield Path(given)
    elif (own / "registries.conf").exists():
        yield own / "registries.conf"
    else:
        yield Path(_SYSTEM, "registries.conf")
    for folder in (Path(_SYSTEM, "registries.conf.d"), own / "registries.conf.d"):
        yield from sorted(folder.glob("*.conf"))


def _load(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(os.fsdecode(file.read_bytes()))
    except OSError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise UsageError("bad-registries-conf", f"{file} is not TOML: {error}", hint="correct it") from None
