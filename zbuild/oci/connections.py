"""Connections to registries: kept open, through proxies, with the machine's and the registry's own certificates.

urllib3 does the work. It takes 50 ms to import, so import this module only where a registry is spoken to.
"""

from __future__ import annotations

import socket
import ssl
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

_KEPT = 16  # connections to one host; more are opened when needed, and closed after


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to trust at a host: `verify`, further CA files, and certificate and key files to show it."""

    verify: bool = True
    authorities: tuple[str, ...] = ()
    client: tuple[str, str] | None = None


class Connections:
    """Hands out urllib3's pools; `trust` tells for each host (`name[:port]`) whom to trust there."""

    def __init__(self, trust: Callable[[str], Trust]) -> None:
        self._trust = trust
        self._lock = threading.Lock()
        self._managers: dict[tuple[Trust, str], urllib3.PoolManager] = {}
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def manager(self, url: str) -> urllib3.PoolManager:
        """Return what opens connections to a URL's host. Raises OSError for certificates that cannot be read."""
        parts = urlsplit(url)
        trust = self._trust(parts.netloc) if parts.scheme == "https" else Trust()
        proxy = "" if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme, "")
        with self._lock:
            if (trust, proxy) not in self._managers:
                self._managers[trust, proxy] = self._made(trust, proxy)
            return self._managers[trust, proxy]

    def close(self) -> None:
        """Shut all connections down: whoever waits for one is told at once."""
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for manager in self._managers.values():
                manager.clear()

    def _made(self, trust: Trust, proxy: str) -> urllib3.PoolManager:
        settings: dict[str, Any] = {"num_pools": 64, "maxsize": _KEPT, "ssl_context": _context(trust)}
        if proxy:
            address = urlsplit(proxy)
            user = f"{address.username}:{address.password or ''}" if address.username else None
            headers = urllib3.make_headers(proxy_basic_auth=user) if user else None
            plain = f"{address.scheme or 'http'}://{address.netloc.rpartition('@')[2]}"
            manager: urllib3.PoolManager = urllib3.ProxyManager(plain, proxy_headers=headers, **settings)
        else:
            manager = urllib3.PoolManager(**settings)
        manager.pool_classes_by_scheme = {
            "http": self._watched(HTTPConnectionPool),
            "https": self._watched(HTTPSConnectionPool),
        }
        return manager

    def _watched(self, kind: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
        """Return a class of pools that tell of their sockets, so that `close` can reach them."""
        sockets = self._sockets

        class Connection(kind.ConnectionCls):  # type: ignore[name-defined,misc] # urllib3 asks for a class
            def connect(self) -> None:
                super().connect()
                sockets.add(self.sock)
                self.is_verified = True  # or meant not to be: urllib3 would warn of it at each request

        class Pool(kind):  # type: ignore[valid-type,misc] # likewise
            ConnectionCls = Connection

        return Pool


def _context(trust: Trust) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for file in trust.authorities:
        context.load_verify_locations(file)
    if trust.client:
        context.load_cert_chain(*trust.client)
    return context
