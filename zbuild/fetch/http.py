"""Asks a server for a file, and for nothing when it is still the one known; streams it to the disk.

The standard library does the work: the proxies of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and the machine's certificates.
"""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
import zlib
from base64 import b64encode
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zbuild import __version__
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import RegistryError
from zbuild.base.text import size_text
from zbuild.fetch.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message
    from pathlib import Path
    from typing import IO

    from zbuild.model.remote import UrlOrigin

_TIMEOUT = 30.0  # seconds in which a server must say something
_CHUNK = 1 << 18
_LARGE = 8_000_000  # bytes worth telling of
_ATTEMPTS = 3
_PAUSE = 0.5  # seconds before the second attempt, twice that before the third
_REDIRECTS = 10
_NOT_MODIFIED = 304
_REFUSED = 400
_SERVER_FAULT = 500
_HINTS = {
    401: "it asks for a user: ADD sends the user:password@ of the URL, and nothing else",
    403: "it does not let this machine, or this user, have the file",
    404: "check the URL",
    407: "the proxy asks for a user: HTTP_PROXY and HTTPS_PROXY may hold user:password@",
    410: "the file was taken away for good",
}


class UnreachableError(RegistryError):
    """The server cannot be reached, or is in trouble: nothing is known of the file itself."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file that was received whole: its digest (`sha256:…`), and what the server told of it.

    `mtime` is unix time, 0 when not told; `fresh_until` the unix time up to which nobody need ask again, 0 for never.
    """

    digest: str
    etag: str
    last_modified: str
    mtime: float
    fresh_until: float


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The file is still the one that was asked about."""

    fresh_until: float


class HttpClient:
    """Fetches files, from any thread; `check` is called now and then, and may raise to stop.

    `tell` is told what is received when that may take a while.
    """

    def __init__(self, check: Callable[[], None], tell: Callable[[str], None]) -> None:
        self._check = check
        self._tell = tell
        self._connections = Connections()

    def close(self) -> None:
        """End what waits for a server; `check` must raise by now."""
        self._connections.close()

    def fetch(self, origin: UrlOrigin, known: Mapping[str, str], path: Path) -> Received | Unchanged:
        """Receive a file into `path`, unless it is still the one whose `etag` or `last_modified` is `known`.

        What breaks off is tried again, a few times. Raises UnreachableError, RegistryError for a server that refuses,
        and OSError when the file cannot be written.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._attempt(origin, known, path)
            except _BrokenOffError as error:
                path.unlink(missing_ok=True)
                self._check()
                if attempt == _ATTEMPTS:
                    raise UnreachableError(error.code, error.message, hint=error.hint) from error
                time.sleep(_PAUSE * attempt)
                self._check()
        raise AssertionError(origin)

    def _attempt(self, origin: UrlOrigin, known: Mapping[str, str], path: Path) -> Received | Unchanged:
        started = time.time()
        try:
            response = self._open(origin, known)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == _NOT_MODIFIED:
                return Unchanged(_fresh_until(error.headers, started))
            raise _refused(origin, error.code, error.reason) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            self._check()
            raise _unreachable(origin, error) from None
        with closing(response):
            told = response.headers
            fresh_until = _fresh_until(told, started)
            etag = told.get("ETag", "")
            if etag and etag == known.get("etag") and not etag.startswith("W/"):
                return Unchanged(fresh_until)  # a server that does not know conditional requests
            digest = self._save(origin, response, path)
            modified = told.get("Last-Modified", "")
            return Received(digest, etag, modified, _unix_time(modified), fresh_until)

    def _open(self, origin: UrlOrigin, known: Mapping[str, str]) -> http.client.HTTPResponse:
        opener = urllib.request.build_opener(_Redirects(), *self._connections.handlers())
        response: http.client.HTTPResponse = opener.open(_request(origin, known), timeout=_TIMEOUT)
        return response

    def _save(self, origin: UrlOrigin, response: http.client.HTTPResponse, path: Path) -> str:
        """Stream a body to the disk and return its digest."""
        digest = hashlib.sha256()
        body = _Body(response)
        if body.missing >= _LARGE:
            self._tell(f"fetching {origin.shown} ({size_text(body.missing)})")
        with path.open("xb") as file:
            path.chmod(0o600)
            while True:
                try:
                    chunk = body.read()
                except (http.client.HTTPException, OSError, zlib.error) as error:
                    raise _broken(origin, str(error) or type(error).__name__) from None
                if chunk is None:
                    break
                self._check()
                digest.update(chunk)
                file.write(chunk)
        if body.missing:
            raise _broken(origin, f"{body.missing} bytes are missing")
        return f"sha256:{digest.hexdigest()}"


class _BrokenOffError(RegistryError):
    """A transfer that ended too early, or a server in trouble for the moment."""


class _Body:
    """A response's body; `missing` bytes were promised and did not come. A body sent packed is unpacked."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        length = response.headers.get("Content-Length", "")
        self.missing = int(length) if length.isdecimal() else 0
        packed = response.headers.get("Content-Encoding", "").lower() == "gzip"
        self._unpack = zlib.decompressobj(wbits=31) if packed else None

    def read(self) -> bytes | None:
        """Return what has come, None at the end."""
        data = self._response.read1(_CHUNK)
        if not data:
            if self._unpack and not self._unpack.eof:
                self.missing = max(self.missing, 1)
            return None
        self.missing = max(0, self.missing - len(data))
        return self._unpack.decompress(data) if self._unpack else data


def _request(origin: UrlOrigin, known: Mapping[str, str]) -> urllib.request.Request:
    headers = {"User-Agent": f"zbuild/{__version__}", "Accept": "*/*"}
    if known.get("etag"):
        headers["If-None-Match"] = known["etag"]
    elif known.get("last_modified"):
        headers["If-Modified-Since"] = known["last_modified"]
    request = urllib.request.Request(origin.url, headers=headers)  # noqa: S310 - http and https alone get here
    if origin.credentials:
        token = b64encode(origin.credentials.encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects within http and https; credentials go no further than the server they are meant for."""

    max_redirections = _REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):  # the base class would let ftp through
            return None
        request = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type] # as called
        token = req.unredirected_hdrs.get("Authorization")
        if request is not None and token and urlsplit(newurl)[:2] == urlsplit(req.full_url)[:2]:
            request.add_unredirected_header("Authorization", token)
        return request


def _refused(origin: UrlOrigin, code: int, reason: str) -> RegistryError:
    if code < _REFUSED:
        told = "the server redirects in a circle, too often, or to what is not http or https"
        return RegistryError("fetch-failed", f"{origin.shown} cannot be fetched: {told}")
    message = f"{origin.shown} cannot be fetched: the server answers {code} {reason}".rstrip()
    if code >= _SERVER_FAULT:
        return _BrokenOffError("fetch-failed", message, hint="the server is in trouble; try again later")
    return RegistryError("fetch-failed", message, hint=_HINTS.get(code, ""))


def _unreachable(origin: UrlOrigin, error: Exception) -> UnreachableError:
    reason = getattr(error, "reason", None) or error
    told = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    hint = "check the network; proxies are taken from HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
    return UnreachableError("fetch-failed", f"{origin.shown} cannot be fetched: {told}", hint=hint)


def _broken(origin: UrlOrigin, reason: str) -> _BrokenOffError:
    return _BrokenOffError("fetch-failed", f"{origin.shown} cannot be fetched: the transfer broke off: {reason}")


def _fresh_until(headers: Message, started: float) -> float:
    """Return up to when an answer holds without asking again (RFC 9111, 4.2); 0 when that is not told."""
    fields = [part.strip().lower() for part in headers.get("Cache-Control", "").split(",")]
    ages = [field.removeprefix("max-age=").strip('"') for field in fields if field.startswith("max-age=")]
    if not ages or not ages[0].isdecimal() or not {"no-cache", "no-store"}.isdisjoint(fields):
        return 0.0
    age = headers.get("Age", "0")
    left = int(ages[0]) - (int(age) if age.isdecimal() else 0)
    return started + left if left > 0 else 0.0


def _unix_time(text: str) -> float:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp())
    except (TypeError, ValueError, OverflowError):
        return 0.0
