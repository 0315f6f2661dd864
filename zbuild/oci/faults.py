"""What registries answer when they refuse, and what networks do, as errors with a next step."""

from __future__ import annotations

import ssl
from contextlib import suppress
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING

import urllib3.exceptions as net

from zbuild.base.errors import RegistryError
from zbuild.base.text import shortened
from zbuild.oci.documents import decode_json
from zbuild.oci.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TIMEOUT, _RANGE, _TOO_MANY, _SERVER = 401, 403, 404, 408, 416, 429, 500
_LOG_IN = "log in with 'zbuild login {registry}', as a user who may do that"


class NotInRegistryError(RegistryError):
    """The registry has no such repository, tag or digest."""


class DamagedError(RegistryError):
    """A registry's answer is not what its digest says, or not well formed."""


def refused(what: str, registry: str, status: int, headers: Mapping[str, str], body: bytes) -> RegistryError:
    """Return the error for an answer; `what` says what could not be done, such as `cannot push web:1`."""
    told = f"HTTP {status}" + (f": {cause}" if (cause := _cause(body)) else "")
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        hint = _LOG_IN.format(registry=registry)
        return RegistryError("registry-denied", f"{what}: the registry refuses this user ({told})", hint=hint)
    if status == _NOT_FOUND:
        hint = "check the name and the tag; a private repository may look like one that is not there"
        return NotInRegistryError("not-in-registry", f"{what}: the registry does not have it ({told})", hint=hint)
    if status in (_TIMEOUT, _RANGE, _TOO_MANY) or status >= _SERVER:
        hint = "it limits how often it is asked; log in, or try later" if status == _TOO_MANY else "try again later"
        error = TransientError("registry-busy", f"{what}: the registry is in trouble ({told})", hint=hint)
        error.after = _retry_after(headers.get("Retry-After", ""))
        return error
    return RegistryError("registry-failed", f"{what}: {told}")


def unreachable(what: str, registry: str, error: Exception) -> RegistryError:
    """Return the error for a server that could not be asked, or broke off while it answered."""
    if isinstance(error, net.ProxyError | net.MaxRetryError):
        error = getattr(error, "original_error", None) or getattr(error, "reason", None) or error
    if isinstance(error, net.SSLError | ssl.SSLError):
        hint = f"put its CA into /etc/containers/certs.d/{registry}/, or name it as insecure in registries.conf"
        return RegistryError("registry-tls", f"{what}: no trusted connection ({error})", hint=hint)
    if isinstance(error, net.NameResolutionError):
        hint = "check how the reference names its registry"
        return TransientError("registry-unknown", f"{what}: there is no such host ({registry})", hint=hint)
    if isinstance(error, net.NewConnectionError | net.ConnectTimeoutError):
        hint = "check that it runs, its port, and the proxies of HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
        return TransientError("registry-unreachable", f"{what}: the registry does not answer", hint=hint)
    if isinstance(error, net.ReadTimeoutError | TimeoutError):
        return TransientError("registry-silent", f"{what}: the registry stopped answering", hint="try again later")
    return TransientError("registry-broke-off", f"{what}: the connection broke off ({_said(error)})")


def _said(error: Exception) -> str:
    return shortened(str(error) or type(error).__name__, 200)


def _cause(body: bytes) -> str:
    """Return what the registry says of itself: the errors of the distribution spec, or nothing."""
    try:
        errors = decode_json(body)["errors"]
        told = "; ".join(" ".join(filter(None, (one.get("code"), one.get("message")))) for one in errors)
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return shortened(" ".join(told.split()), 200)


def _retry_after(told: str) -> float:
    """Return for how many seconds a registry wants to be left alone (RFC 9110, 10.2.3)."""
    if told.isdecimal():
        return float(told)
    with suppress(TypeError, ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(told).timestamp() - time())
    return 0.0
