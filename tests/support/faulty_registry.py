"""A registry that does wrong to some requests, as the test chooses, and hands the others on to a real one."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message

_OF_THE_CONNECTION = ("transfer-encoding", "content-length", "connection")


@dataclass(frozen=True)
class Fault:
    """What is done to a request.

    `status` is answered in the registry's place, with `headers` and `body`; 0 lets the registry answer, `change` its
    body, and `cut` end the answer after so many bytes of it. `take` reads so many bytes of the request and then resets
    the connection. `hang` waits for so many seconds first.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    change: Callable[[bytes], bytes] | None = None
    cut: int = -1
    take: int = -1
    hang: float = 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, registry: str, fault: Callable[[str, str], int | Fault], headers: list[Message] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.registry = registry
        self.fault = fault
        self.headers = headers
        self.ended = threading.Event()
        self.ports: set[int] = set()

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that hang up are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_any(self) -> None:
        if self.server.headers is not None:
            self.server.headers.append(self.headers)
        self.server.ports.add(self.client_address[1])
        chosen = self.server.fault(self.command, self.path)
        fault = Fault(chosen) if isinstance(chosen, int) else chosen
        self.server.ended.wait(fault.hang)
        if fault.take >= 0:
            self._reset(fault.take)
            return
        body = self._body()
        if fault.status:
            self._answer(fault.status, list(fault.headers), fault.body)
        else:
            self._hand_on(body, fault)

    def _hand_on(self, body: bytes, fault: Fault) -> None:
        with closing(HTTPConnection(self.server.registry)) as upstream:
            upstream.putrequest(self.command, self.path, skip_accept_encoding=True, skip_host=True)
            for name, value in self.headers.items():  # one by one: there are several Accept
                if name.lower() not in _OF_THE_CONNECTION:
                    upstream.putheader(name, value)
            upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            answer = upstream.getresponse()
            told = answer.read()
        self._answer(answer.status, answer.getheaders(), fault.change(told) if fault.change else told, fault.cut)

    def _reset(self, size: int) -> None:
        self.rfile.read(size)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any  # noqa: N815 - as the base class calls them

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, cut: int = -1) -> None:
        told = dict(headers).get("Content-Length") or "0"
        length = told if self.command == "HEAD" else str(len(body))
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if cut < 0:
            self.wfile.write(body)
        else:
            self.wfile.write(body[:cut])
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def run_faulty(
    registry: str,
    fault: Callable[[str, str], int | Fault],
    headers: list[Message] | None = None,
    ports: set[int] | None = None,
) -> Iterator[str]:
    """Serve what `registry` does; yields `host:port`. `fault` (method, path) returns a Fault, or just a status.

    The headers of all requests are added to `headers`, the clients' ports to `ports`: one for each connection.
    """
    server = _Server(registry, fault, headers)
    server.ports = server.ports if ports is None else ports
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
