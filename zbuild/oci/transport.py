"""Requests to registries: retried, authorized, redirected; the one place that speaks HTTP to them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

import urllib3

from zbuild import __version__
from zbuild.base.errors import RegistryError
from zbuild.oci.auth import Authorizer
from zbuild.oci.connections import Connections, Trust
from zbuild.oci.faults import DamagedError, refused, unreachable
from zbuild.oci.messages import Answer, Request
from zbuild.oci.retries import Patience, Stop, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from zbuild.oci.credentials import FindCredentials
    from zbuild.oci.hosts import Hosts, Place
    from zbuild.oci.retries import Limits

_REDIRECTS = 10
_MOVED = (301, 302, 303, 307, 308)
_UNAUTHORIZED, _BAD_REQUEST = 401, 400
_LARGEST = 8 << 20  # bytes of an answer that is held whole: manifests, lists, tokens
_SENT_PER_SECOND = 1_000_000  # a registry may take time to check what it was sent before it answers
_T = TypeVar("_T")


class Transport:
    """Sends requests, from any thread, over connections that are kept."""

    def __init__(self, hosts: Hosts, credentials: FindCredentials, limits: Limits) -> None:
        self._limits = limits
        self._hosts = hosts
        self._unverified: set[str] = set()
        self._connections = Connections(self._trust)
        self._authorizer = Authorizer(credentials, self._token_call)
        self._bases: dict[str, str] = {}
        self._lock = threading.Lock()
        self.stop = Stop()

    def close(self) -> None:
        """End what waits for a registry, and refuse what is asked later."""
        self.stop.set()
        self._connections.close()

    def patience(self) -> Patience:
        """Return the hope for one piece of work."""
        return Patience(self._limits, self.stop)

    def retried(self, work: Callable[[], _T]) -> _T:
        """Do something until it succeeds, or its fault is none that passes."""
        patience = self.patience()
        while True:
            try:
                return work()
            except TransientError as error:
                patience.wait(error)

    def call(self, request: Request) -> Answer:
        """Return a whole answer. Raises RegistryError for what is not expected; InterruptedBuildError."""
        return self.retried(lambda: self.call_once(request))

    def call_once(self, request: Request) -> Answer:
        """As `call`, with one attempt: TransientError is for the caller to deal with."""
        with self.attempt(request) as response:
            body = self._read(request, response)
            return Answer(response.status, _headers(response), body, response.url or request.url)

    @contextmanager
    def attempt(self, request: Request) -> Iterator[urllib3.BaseHTTPResponse]:
        """Open an answer of an expected status for reading. Raises as `call_once`."""
        response = self._authorized(request)
        try:
            if response.status in request.expect:
                yield response
                told = None
            else:
                told = self._read(request, response)
        except BaseException:
            response.close()  # what is left unread must not be taken for the next answer
            raise
        _give_back(response)
        if told is not None:
            raise refused(request.what, request.place.domain, response.status, response.headers, told)

    def read(self, request: Request, response: urllib3.BaseHTTPResponse, size: int) -> bytes:
        """Read up to `size` bytes of an answer, b"" at its end. Raises TransientError when it breaks off."""
        self.stop.check()
        try:
            return response.read(size)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self.stop.check()
            raise unreachable(request.what, request.place.domain, error) from None

    def _read(self, request: Request, response: urllib3.BaseHTTPResponse) -> bytes:
        body = b""
        while chunk := self.read(request, response, _LARGEST):
            body += chunk
            if len(body) > _LARGEST:
                raise DamagedError("registry-failed", f"{request.what}: the answer has no end")
        return body

    def _authorized(self, request: Request) -> urllib3.BaseHTTPResponse:
        """Send a request with what the registry is known to want, and once more when it wants something else."""
        known = self._authorizer.known(request.place, request.scopes)
        response = self._send(request, known)
        if response.status != _UNAUTHORIZED:
            return response
        challenges = response.headers.getlist("WWW-Authenticate")
        _give_back(response)
        wanted = self._authorizer.answer(request.place, request.scopes, challenges, known, request.what)
        return self._send(request, wanted) if wanted else response

    def _send(self, request: Request, authorization: str) -> urllib3.BaseHTTPResponse:
        """Send a request and follow redirects; what authorizes it goes no further than the registry's own host."""
        url = urljoin(self._base(request.place), request.url)
        for _ in range(_REDIRECTS):
            secret = authorization if _same_host(url, self._base(request.place)) else ""
            response = self._exchange(request, url, {"Authorization": secret} if secret else {})
            location = response.headers.get("Location")
            if response.status not in _MOVED or not location:
                return response
            _give_back(response)
            target = urljoin(url, location)
            if urlsplit(target).scheme != "https" and not _same_host(url, target) and not request.place.insecure:
                raise RegistryError(
                    "registry-failed", f"{request.what}: the registry redirects to where there is no TLS"
                )
            url = target
        raise RegistryError("registry-failed", f"{request.what}: the registry redirects in a circle")

    def _exchange(self, request: Request, url: str, secret: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        self.stop.check()
        headers = {"User-Agent": f"zbuild/{__version__}", **request.headers, **secret}
        stall = self._limits.stall + request.size / _SENT_PER_SECOND
        body: Any = None
        try:
            if request.body is not None or request.method in ("POST", "PUT", "PATCH"):
                headers["Content-Length"] = str(request.size)
            body = request.body() if request.body is not None else None
            response = self._connections.manager(url).request(
                *(request.method, url, body),
                headers=headers,
                timeout=urllib3.Timeout(connect=self._limits.connect, read=stall),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self.stop.check()
            raise unreachable(request.what, request.place.domain, error) from None
        finally:
            if body is not None:
                body.close()
        response.url = url  # urllib3 knows but the path
        return response

    def _base(self, place: Place) -> str:
        """Return `https://host` or `http://host`: an insecure host is asked once which of them it is."""
        if not place.insecure:
            return f"https://{place.host}"
        with self._lock:
            found = self._bases.get(place.host)
            if not found:
                found = self._bases[place.host] = self._asked_base(place)
        return found

    def _asked_base(self, place: Place) -> str:
        """Ask without TLS, and without any secret: a server that wants TLS answers 400, or closes the connection."""
        self._unverified.add(place.host)
        request = Request("GET", place, "/v2/", f"cannot ask {place.domain}")
        try:
            response = self._exchange(request, f"http://{place.host}/v2/", {})
        except TransientError as error:
            if error.code != "registry-broke-off":
                raise
            return f"https://{place.host}"
        response.close()
        moved = response.headers.get("Location", "").startswith(f"https://{place.host}/")
        return f"https://{place.host}" if moved or response.status == _BAD_REQUEST else f"http://{place.host}"

    def _trust(self, host: str) -> Trust:
        return Trust(verify=False) if host in self._unverified else self._hosts.trust(host)

    def _token_call(self, request: Request, authorization: str) -> Answer:
        """Ask an authorization server, which the registry named, for a token."""
        if urlsplit(request.url).scheme != "https" and not request.place.insecure:
            raise RegistryError("registry-failed", f"{request.what}: its authorization server has no TLS")
        response = self._exchange(request, request.url, {"Authorization": authorization} if authorization else {})
        try:
            body = self._read(request, response)
        finally:
            response.close()
        if response.status not in request.expect:
            raise refused(request.what, request.place.domain, response.status, response.headers, body)
        return Answer(response.status, _headers(response), body, request.url)


def _headers(response: urllib3.BaseHTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _give_back(response: urllib3.BaseHTTPResponse) -> None:
    """Let the connection of an answer be used for the next one."""
    response.drain_conn()
    response.release_conn()


def _same_host(url: str, other: str) -> bool:
    return urlsplit(url)[:2] == urlsplit(other)[:2]
