"""The connections that urllib opens, so that whoever waits for a server can be woken from another thread."""

from __future__ import annotations

import socket
import urllib.request
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import http.client
    from collections.abc import Callable


class Connections:
    """The open connections of one client; `close` ends whatever waits for them."""

    def __init__(self) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def handlers(self) -> tuple[urllib.request.BaseHandler, ...]:
        """Return the handlers by which an opener makes its connections here."""
        http_handler, https_handler = _HttpHandler(), _HttpsHandler()
        http_handler.opened = https_handler.opened = self._sockets.add
        return http_handler, https_handler

    def close(self) -> None:
        """Shut all connections down: reading from them ends at once."""
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _Watched(urllib.request.AbstractHTTPHandler):
    """Tells of each connection's socket once it is there."""

    opened: Callable[[socket.socket], None]

    def do_open(self, http_class: Any, req: urllib.request.Request, **arguments: Any) -> http.client.HTTPResponse:  # noqa: ANN401 - as urllib has them
        def connection(*where: Any, **how: Any) -> http.client.HTTPConnection:  # noqa: ANN401 - likewise
            made: http.client.HTTPConnection = http_class(*where, **how)
            connect = made.connect

            def connect_and_tell() -> None:
                connect()
                self.opened(made.sock)

            made.connect = connect_and_tell  # type: ignore[method-assign] # urllib makes it, and asks for no class
            return made

        return super().do_open(connection, req, **arguments)


class _HttpHandler(_Watched, urllib.request.HTTPHandler):
    pass


class _HttpsHandler(_Watched, urllib.request.HTTPSHandler):
    pass
