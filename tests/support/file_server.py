"""A web server on loopback that serves what a test puts there, counts who asks, and misbehaves when told to."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass
class Page:
    """What is at a path. `status` with `headers` says how it is answered.

    `meet`: it waits there for other requests; `cut`: only half of it is sent; `hang`: the other half comes when the
    test is over.
    """

    content: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""
    cut: bool = False
    hang: bool = False
    meet: threading.Barrier | None = None
    user: str = ""


class FileServer:
    """`pages` by path; `asked` are the requests so far, as `METHOD PATH STATUS`."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self.seen: list[dict[str, str]] = []
        self.stopped = False
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.files = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"

    def put(self, path: str, content: bytes | str = b"", **fields: object) -> str:
        """Put a page at a path; return its URL."""
        data = content.encode() if isinstance(content, str) else content
        self.pages[path] = Page(data, **fields)  # type: ignore[arg-type]
        return self.url(path)

    def take_asked(self) -> list[str]:
        """Return the requests since the last time."""
        asked = self.asked[:]
        self.asked.clear()
        return asked

    def stop(self) -> None:
        """Be gone, as in an offline network; the port answers nobody any more."""
        if not self.stopped:
            self.stopped = True
            self.over.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


@contextmanager
def run_file_server() -> Iterator[FileServer]:
    server = FileServer()
    try:
        yield server
    finally:
        server.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    files: FileServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        files = self.server.files
        page = files.pages.get(self.path.partition("?")[0]) or Page(b"nothing here", 404)
        files.seen.append(dict(self.headers))
        if page.user and self.headers.get("Authorization") != page.user:
            page = Page(b"who are you", 401)
        if page.meet:
            page.meet.wait(10)
        status = 304 if page.status == 200 and self._is_known(page) else page.status
        files.asked.append(f"GET {self.path} {status}")
        self.send_response(status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if page.etag:
            self.send_header("ETag", page.etag)
        if status != 304:
            self.send_header("Content-Length", str(len(page.content)))
        self.end_headers()
        if status != 304:
            self._send(page)

    def _is_known(self, page: Page) -> bool:
        modified = page.headers.get("Last-Modified")
        return bool(page.etag and self.headers.get("If-None-Match") == page.etag) or bool(
            modified and self.headers.get("If-Modified-Since") == modified
        )

    def _send(self, page: Page) -> None:
        half = len(page.content) // 2
        self.wfile.write(page.content[:half])
        if page.hang:
            self.server.files.over.wait()
        elif not page.cut:
            self.wfile.write(page.content[half:])

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""
