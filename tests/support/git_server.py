"""Git repositories behind `git http-backend` on loopback, as a forge serves them; it counts who asks for what."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.test",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.test",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True)
class Repository:
    """A repository with files, which is served as it is."""

    folder: Path
    url: str

    def git(self, *arguments: str) -> str:
        argv = ["git", "-C", str(self.folder), *arguments]
        done = subprocess.run(argv, env=os.environ | _IDENTITY, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Write files, `__` in their names standing for a slash, and commit; return the commit."""
        for name, text in files.items():
            path = self.folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "x")
        return self.git("rev-parse", "HEAD")


class GitServer:
    """Serves the repositories of a folder. `asked` are the requests so far; with `user` it wants that Authorization."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.user = ""
        self.stopped = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def repository(self, name: str) -> Repository:
        """Make an empty repository, served as `http://ADDRESS/NAME.git`."""
        made = Repository(self.folder / f"{name}.git", f"http://{self.address}/{name}.git")
        made.folder.mkdir(parents=True)
        made.git("init", "--quiet", "--initial-branch=main")
        return made

    def take_asked(self) -> list[str]:
        """Return the requests since the last time."""
        asked = self.asked[:]
        self.asked.clear()
        return asked

    def stop(self) -> None:
        """Be gone, as in an offline network."""
        if not self.stopped:
            self.stopped = True
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


@contextmanager
def run_git_server(folder: Path) -> Iterator[GitServer]:
    server = GitServer(folder)
    try:
        yield server
    finally:
        server.stop()


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve(b"")

        def do_POST(self) -> None:
            self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        def _serve(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            server.asked.append(f"{self.command} {path}")
            if server.user and self.headers.get("Authorization") != server.user:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
                self.end_headers()
                return
            done = subprocess.run(
                ["git", "http-backend"],
                check=False,
                env=self._environment(path, query),
                input=body,
                capture_output=True,
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _environment(self, path: str, query: str) -> dict[str, str]:
            # A folder with files is served from its .git, as a path without it says.
            name, _, rest = path.lstrip("/").partition("/")
            return os.environ | {
                "GIT_PROJECT_ROOT": str(server.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "PATH_INFO": f"/{name}/.git/{rest}",
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }

        def log_message(self, *_words: object) -> None:
            """Keep quiet."""

    return Handler
