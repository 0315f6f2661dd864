"""A registry that takes tokens alone, and the server that gives them out: both real, by the distribution token spec."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from support.registry import PASSWORD, USER, run_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IDENTITY = "identity of the pusher"
_BASIC = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"


class TokenServer(ThreadingHTTPServer):
    """Gives tokens to USER, by password or by IDENTITY, and to others none that a private registry takes.

    `asked` holds the scopes of each request; `life` is for how many seconds the tokens hold.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, ...]] = []
        self.life = 300
        self._key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests"]
        files = ["-keyout", str(self._key), "-out", str(self.certificate)]
        subprocess.run(["openssl", "req", "-x509", *made, *files], check=True, capture_output=True)

    def token(self, scopes: tuple[str, ...]) -> str:
        lines = self.certificate.read_text().splitlines()
        header = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(lines[1:-1])]}
        access = [dict(zip(("type", "name", "actions"), scope.split(":"), strict=True)) for scope in scopes]
        now = int(time.time())
        claims = {
            "iss": "tests",
            "sub": USER,
            "aud": "registry",
            "jti": str(now),
            "exp": now + self.life,
            "nbf": now - 5,
            "iat": now,
            "access": [{**one, "actions": one["actions"].split(",")} for one in access],
        }
        signed = b".".join(_text(json.dumps(part).encode()) for part in (header, claims))
        argv = ["openssl", "dgst", "-sha256", "-sign", str(self._key)]
        signature = subprocess.run(argv, input=signed, check=True, capture_output=True).stdout
        return b".".join((signed, _text(signature))).decode()


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        known = self.headers.get("Authorization") == _BASIC
        self._give(tuple(query.get("scope", ())), known=known or "Authorization" not in self.headers, user=known)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = form.get("refresh_token") == [IDENTITY] and form["grant_type"] == ["refresh_token"]
        self._give(tuple(form.get("scope", [""])[0].split()), known=known, user=known)

    def _give(self, scopes: tuple[str, ...], *, known: bool, user: bool) -> None:
        self.server.asked.append(scopes)
        told = {"token": self.server.token(scopes if user else ()), "expires_in": self.server.life}
        body = json.dumps(told if known else {"errors": [{"code": "UNAUTHORIZED", "message": "who?"}]}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _text(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@contextmanager
def run_token_registry(folder: Path, tls: tuple[str, str] | None = None) -> Iterator[tuple[str, TokenServer]]:
    """Yield the `host:port` of a registry on loopback, and the server of its tokens."""
    server = TokenServer(folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    realm = f"http://127.0.0.1:{server.server_port}/token"
    settings = f"realm: {realm}, service: registry, issuer: tests, rootcertbundle: {server.certificate}"
    try:
        with run_registry(folder, auth=f"auth: {{token: {{{settings}}}}}", tls=tls) as address:
            yield address, server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
