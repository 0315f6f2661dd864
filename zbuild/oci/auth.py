"""Authorization: what a registry asks for when it answers 401, by RFC 9110 and the distribution token spec."""

from __future__ import annotations

import re
import threading
import time
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import RegistryError
from zbuild.oci.documents import decode_json
from zbuild.oci.messages import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zbuild.oci.credentials import Credentials, FindCredentials
    from zbuild.oci.hosts import Place
    from zbuild.oci.messages import Answer

_LIFE = 60.0  # seconds a token holds whose life is not told
_MARGIN = 10.0
_PART = re.compile(
    r'(?P<name>[\w-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]+))'
    r"|(?P<scheme>[\w-]+)(?=\s|$)"
)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in that a registry offers: `scheme` in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Pass:
    header: str
    until: float


class Authorizer:
    """Finds, and remembers, the Authorization header for a place and scopes; safe for threads.

    `call` sends a request to an authorization server, with a header of its own.
    """

    def __init__(self, credentials: FindCredentials, call: Callable[[Request, str], Answer]) -> None:
        self._credentials = credentials
        self._call = call
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, tuple[str, ...]], threading.Lock] = {}
        self._passes: dict[tuple[str, tuple[str, ...]], _Pass] = {}
        self._challenges: dict[str, Challenge] = {}

    def known(self, place: Place, scopes: tuple[str, ...]) -> str:
        """Return the header that is known to do, "" when none is."""
        found = self._passes.get((place.host, scopes))
        return found.header if found and found.until > time.monotonic() else ""

    def answer(self, place: Place, scopes: tuple[str, ...], challenges: Sequence[str], refused: str, what: str) -> str:
        """Return the header that a 401 asks for, "" when there are no credentials to give.

        `refused` is the header that did not do. Raises RegistryError when the authorization server refuses.
        """
        with self._guard:
            lock = self._locks.setdefault((place.host, scopes), threading.Lock())
        with lock:  # threads that are refused at the same time ask for one token
            again = self.known(place, scopes)
            if again and again != refused:
                return again
            made = self._made(place, scopes, parse_challenges(challenges), what)
            if made is None or made.header == refused:
                return ""
            self._passes[place.host, scopes] = made
            return made.header

    def _made(self, place: Place, scopes: tuple[str, ...], challenges: Sequence[Challenge], what: str) -> _Pass | None:
        credentials = self._credentials(place.domain, place.path)
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                return self._token(place, scopes, challenge, credentials, what)
        basic = any(challenge.scheme == "basic" for challenge in challenges)
        if basic and credentials is not None and credentials.password:
            return _Pass(_basic(credentials), float("inf"))
        return None

    def _token(
        self, place: Place, scopes: tuple[str, ...], challenge: Challenge, credentials: Credentials | None, what: str
    ) -> _Pass:
        wanted = scopes or tuple(challenge.parameters.get("scope", "").split())
        if credentials is not None and credentials.identity_token:
            request = _refresh(place, challenge, wanted, credentials.identity_token, what)
            told = self._asked(request, "")
        else:
            header = _basic(credentials) if credentials is not None else ""
            told = self._asked(_ask(place, challenge, wanted, what), header)
        token = told.get("token") or told.get("access_token")
        if not isinstance(token, str) or not token:
            raise RegistryError("registry-failed", f"{what}: the authorization server gives no token")
        life = told.get("expires_in")
        seconds = float(life) if isinstance(life, int | float) else _LIFE
        return _Pass(f"Bearer {token}", time.monotonic() + max(seconds - _MARGIN, 1.0))

    def _asked(self, request: Request, header: str) -> dict[str, Any]:
        answer = self._call(request, header)
        try:
            return decode_json(answer.body)
        except ValueError:
            return {}


def parse_challenges(headers: Sequence[str]) -> tuple[Challenge, ...]:
    """Read WWW-Authenticate headers, each of which may hold several challenges."""
    found: list[Challenge] = []
    for part in (part for header in headers for part in _PART.finditer(header)):
        if part["scheme"]:
            found.append(Challenge(part["scheme"].lower(), {}))
        elif found:
            value = part["bare"] or re.sub(r"\\(.)", r"\1", part["quoted"] or "")
            found[-1] = Challenge(found[-1].scheme, {**found[-1].parameters, part["name"].lower(): value})
    return tuple(found)


def _ask(place: Place, challenge: Challenge, scopes: Sequence[str], what: str) -> Request:
    """Return the request for a token, to which user and password are added where there are any."""
    query = [("service", challenge.parameters.get("service", "")), *(("scope", scope) for scope in scopes)]
    joint = "&" if "?" in challenge.parameters["realm"] else "?"
    url = challenge.parameters["realm"] + joint + urlencode([pair for pair in query if pair[1]])
    return Request("GET", place, url, what)


def _refresh(place: Place, challenge: Challenge, scopes: Sequence[str], token: str, what: str) -> Request:
    """Return the request that trades an identity token, which docker keeps instead of a password, for a token."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "service": challenge.parameters.get("service", ""),
        "scope": " ".join(scopes),
        "client_id": "zbuild",
    }
    data = urlencode(form).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = challenge.parameters["realm"]
    return Request("POST", place, url, what, headers=headers, body=lambda: BytesIO(data), size=len(data))


def _basic(credentials: Credentials) -> str:
    return f"Basic {b64encode(f'{credentials.user}:{credentials.password}'.encode()).decode()}"
