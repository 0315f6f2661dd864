"""The files about the host that a RUN sees in place of its image's: /etc/hosts, /etc/resolv.conf, /run/.containerenv.

They are made as buildah 1.28 makes them, from the host's own at the time of the run.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# netdevice(7): the request, and where in the answer the address stands.
_SIOCGIFADDR = 0x8915
_REQUEST = struct.Struct("16s16x8x")
_ADDRESS = slice(20, 24)
_HOST_NAME = "host.containers.internal"


def hosts(host_text: str, address: str) -> str:
    """Return an /etc/hosts: the host's lines, and names for the host itself and, where missing, for localhost."""
    lines = [line.partition("#")[0].split() for line in host_text.splitlines()]
    entries = [(words[0], words[1:]) for words in lines if len(words) > 1]
    known = {name for _, names in entries for name in names}
    if address and _HOST_NAME not in known:
        entries.append((address, [_HOST_NAME]))
    if "localhost" not in known:
        entries += [("127.0.0.1", ["localhost"]), ("::1", ["localhost"])]
    return "".join(f"{ip}\t{' '.join(names)}\n" for ip, names in entries)


def resolv_conf(host_text: str) -> str:
    """Return an /etc/resolv.conf: the host's name servers, and its last `search` and `options` (resolv.conf(5))."""
    lines = [line.partition("#")[0].partition(";")[0].split() for line in host_text.splitlines()]
    words = {line[0]: line[1:] for line in lines if len(line) > 1 and line[0] in ("search", "options")}
    made = [f"nameserver {line[1]}\n" for line in lines if len(line) > 1 and line[0] == "nameserver"]
    if "search" in words:
        made.insert(0, f"search {' '.join(words['search'])}\n")
    if "options" in words:
        made.append(f"options {' '.join(words['options'])}\n")
    return "".join(made)


def container_env(version: str, name: str, container_id: str, image: str, image_id: str) -> str:
    """Return a /run/.containerenv, by which programs tell that they run in a container."""
    fields = {"engine": f"buildah-{version}", "name": name, "id": container_id, "image": image, "imageid": image_id}
    return "\n" + "".join(f'{key}="{value}"\n' for key, value in fields.items()) + "rootless=0\n"


def host_hosts() -> str:
    """Return the /etc/hosts of a RUN on this machine, as it stands now. Raises OSError."""
    return hosts(read_host(Path("/etc/hosts")), _host_address())


def host_resolv_conf() -> str:
    """Return the /etc/resolv.conf of a RUN on this machine, as it stands now. Raises OSError."""
    return resolv_conf(read_host(Path("/etc/resolv.conf")))


def read_host(path: Path) -> str:
    """Return a file's text, "" when there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _host_address() -> str:
    """Return the first IPv4 address of this machine that is not a loopback's, "" for none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        return next((address for address in _addresses(asked) if not address.startswith("127.")), "")


def _addresses(asked: socket.socket) -> Iterator[str]:
    for _, name in socket.if_nameindex():
        try:
            answer = fcntl.ioctl(asked, _SIOCGIFADDR, _REQUEST.pack(name.encode()))
        except OSError:
            continue  # it has none
        yield socket.inet_ntoa(answer[_ADDRESS])
