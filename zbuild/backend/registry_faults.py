"""What registries answer, told by the tools that speak to them, as errors with a next step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.base.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOGGED = re.compile(r'time="[^"]*" level=(?P<level>\w+) msg="(?P<message>(?:[^"\\]|\\.)*)"')
_BUSY = re.compile(r"(?:HTTP status|StatusCode|status code)\D{0,24}(?:429|5\d\d)|toomanyrequests", re.IGNORECASE)
# What is looked for in a cause, with the error's code, what it means and the next step.
_FAULTS = (
    (
        r"unauthorized|authentication required|(?<!permission )denied|forbidden|status\W?(?:code)?\D{0,24}40[13]\b",
        "registry-denied",
        "the registry refuses this user",
        "log in with 'zbuild login {registry}', as a user who may do that",
    ),
    (
        r"no such host|name resolution|server misbehaving",
        "registry-unknown",
        "there is no such host",
        "check how the tag names its registry",
    ),
    (
        r"connection refused|i/o timeout|no route to host|network is unreachable|deadline exceeded",
        "registry-unreachable",
        "the registry does not answer",
        "check that it runs, and its port",
    ),
    (
        r"x509|certificate|tls:|HTTP response to HTTPS client",
        "registry-tls",
        "no trusted connection",
        "put its CA into /etc/containers/certs.d/{registry}/, or name it as insecure in registries.conf",
    ),
)


def said(stderr: Sequence[str]) -> str:
    """Return why buildah or skopeo failed, without what they log besides and without their own preface."""
    told = []
    for line in stderr:
        logged = _LOGGED.match(line)
        if not logged:
            told.append(line)
        elif logged["level"] == "fatal":
            told.append(logged["message"].replace('\\"', '"'))
    return re.sub(r'^Error: (?:pushing image "[^"]*" to "[^"]*": )?', "", " ".join(told).strip())


def is_busy(cause: str) -> bool:
    """Tell whether a registry said that a later try may do better: HTTP 429, or 500 and above."""
    return bool(_BUSY.search(cause))


def registry_error(what: str, registry: str, cause: str) -> RegistryError:
    """Return the error for what could not be done with a registry; `what` names the repository."""
    for pattern, code, summary, hint in _FAULTS:
        if re.search(pattern, cause, re.IGNORECASE):
            return RegistryError(code, f"{what}: {summary} ({cause})", hint=hint.format(registry=registry))
    return RegistryError("registry-failed", f"{what}: {cause}")
