"""A registry that answers some requests with an error of the test's choice, and hands the others on to a real one."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OF_THE_CONNECTION = ("transfer-encoding", "content-length", "connection")


class _Server(ThreadingHTTPServer):
    def __init__(self, registry: str, fault: Callable[[str, str], int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.registry = registry
        self.fault = fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_any(self) -> None:
        body = self._body()
        status = self.server.fault(self.command, self.path)
        if status:
            self._answer(status, [], b"")
            return
        upstream = HTTPConnection(self.server.registry)
        upstream.putrequest(self.command, self.path, skip_accept_encoding=True, skip_host=True)
        for name, value in self.headers.items():  # one by one: there are several Accept
            if name.lower() not in _OF_THE_CONNECTION:
                upstream.putheader(name, value)
        upstream.putheader("Content-Length", str(len(body)))
        upstream.endheaders(body)
        answer = upstream.getresponse()
        self._answer(answer.status, answer.getheaders(), answer.read())
        upstream.close()

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = handle_any  # noqa: N815 - as the base class calls them

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        length = dict(headers).get("Content-Length") or str(len(body))  # the former of HEAD, which has no body
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def run_faulty(registry: str, fault: Callable[[str, str], int]) -> Iterator[str]:
    """Serve what `registry` does; yields `host:port`. `fault` (method, path) returns a status, 0 for none."""
    server = _Server(registry, fault)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
