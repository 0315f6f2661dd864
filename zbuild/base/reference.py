"""Image references, by the grammar of the distribution project (`distribution/reference`).

    reference = name [":" tag] ["@" digest];  name = [domain "/"] path
    domain    = host [":" port];              path = component {"/" component}

`parse_reference` takes a text as it stands; `qualify` and `normalise` read it as docker users mean it, where `ubuntu`
is `docker.io/library/ubuntu`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.base.gomatch import name_matcher

ReferenceErrorKind: TypeAlias = Literal[
    "empty", "format", "uppercase", "too-long", "identifier", "digest-format", "digest-length", "digest-unsupported"
]

_HUB = "docker.io"
_LEGACY_HUB = "index.docker.io"
_OFFICIAL = "library/"
_MAX_PATH = 255
_HEX_DIGITS = {"sha256": 64}

_LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = rf"(?:(?P<domain>{_DOMAIN})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
_TAG = r"[\w][\w.-]{0,127}"
_DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(f"{_NAME}(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?", re.ASCII)
_IDENTIFIER = re.compile("[a-f0-9]{64}")


class ReferenceError(ValueError):  # noqa: A001 - what it is called everywhere; Python's own is about weak references
    """A text that is no image reference; `kind` says in which way."""

    def __init__(self, kind: ReferenceErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Reference:
    """An image reference; parts that are not there are "". `domain` includes the port, `digest` the algorithm."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The repository: domain and path, without tag and digest."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    def __str__(self) -> str:
        if not self.path:  # a bare digest, from parse_any
            return self.digest
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def familiar(self) -> Reference:
        """Return the short form that people know: without `docker.io/` and `library/`."""
        if self.domain != _HUB:
            return self
        short = self.path.removeprefix(_OFFICIAL)
        return replace(self, domain="", path=self.path if "/" in short else short)

    def matches(self, pattern: str) -> bool:
        """Tell whether the familiar form, or its name alone, matches a pattern with `*`, `?` and `[…]`.

        As in Go's path.Match, neither `*` nor `?` matches a slash. Raises gomatch.PatternError.
        """
        compiled = name_matcher(pattern)
        short = self.familiar()
        return any(compiled.fullmatch(text) for text in (str(short), short.name))


def parse_reference(text: str) -> Reference:
    """Parse a reference as it stands, adding nothing.

    Raises ReferenceError.
    """
    return _parse(text, text)


def _parse(text: str, shown: str) -> Reference:
    """Parse `text`; messages quote `shown`, which is what the user wrote."""
    if not text:
        raise ReferenceError("empty", "an image reference cannot be empty")
    match = _REFERENCE.fullmatch(text)
    if not match:
        if _REFERENCE.fullmatch(text.lower()):
            raise ReferenceError("uppercase", f"'{shown}' is not an image reference: its name must be in lower case")
        raise ReferenceError("format", f"'{shown}' is not an image reference; write [registry/]name[:tag][@digest]")
    domain, path, tag, digest = match.groups(default="")
    if len(path) > _MAX_PATH:
        raise ReferenceError("too-long", f"the image name '{path[:40]}…' is longer than {_MAX_PATH} characters")
    if digest:
        _check_digest(digest)
    return Reference(domain, path, tag, digest)


def _check_digest(digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    length = _HEX_DIGITS.get(algorithm)
    if length is None:
        raise ReferenceError("digest-unsupported", f"the digest algorithm '{algorithm}' is not supported; use sha256")
    if len(encoded) != length:
        raise ReferenceError("digest-length", f"a {algorithm} digest has {length} hex digits, not {len(encoded)}")
    if encoded != encoded.lower():
        raise ReferenceError("digest-format", f"the hex digits of the digest '{digest}' must be in lower case")


def qualify(text: str, default_registry: str = "") -> Reference:
    """Parse a reference as users mean it: with its registry, and `library/` where Docker Hub has it.

    A first component with `.`, `:` or an upper case letter, or `localhost`, is a registry. `default_registry`, which
    may end with a path (`registry.example/team`), takes the place of docker.io where none is named.
    Raises ReferenceError.
    """
    if _IDENTIFIER.fullmatch(text):
        raise ReferenceError("identifier", f"'{text}' is an image id, not a name")
    first, slash, rest = text.partition("/")
    if not (slash and _is_domain(first)):
        first, rest = default_registry or _HUB, text
    if first == _LEGACY_HUB:
        first = _HUB
    if first == _HUB and "/" not in rest:
        rest = _OFFICIAL + rest
    return _parse(f"{first}/{rest}" if text else "", text)


def is_registry(text: str) -> bool:
    """Say whether a text can be the `default_registry` of `qualify`."""
    try:
        return str(qualify(f"{text}/name")).startswith(f"{text}/")
    except ReferenceError:
        return False


def normalise(text: str, default_registry: str = "") -> Reference:
    """Return the full reference that a text names: qualified, and with a tag or a digest.

    Without either the tag is `latest`; where both are given only the digest stays, since it alone decides.
    Raises ReferenceError.
    """
    reference = qualify(text, default_registry)
    if reference.digest:
        return replace(reference, tag="")
    return reference if reference.tag else replace(reference, tag="latest")


def short_name(text: str) -> str:
    """Return how a reference is usually written: `alpine` for `docker.io/library/alpine:latest`.

    It is what BuildKit compares the names of build contexts with. Raises ReferenceError.
    """
    return str(qualify(text).familiar()).removesuffix(":latest")


def parse_any(text: str, default_registry: str = "") -> Reference:
    """Parse what may also be an image id (64 hex digits) or a bare digest, which become a Reference without a path.

    Raises ReferenceError.
    """
    digest = f"sha256:{text}" if _IDENTIFIER.fullmatch(text) else text
    algorithm, _, encoded = digest.partition(":")
    if algorithm == "sha256" and _IDENTIFIER.fullmatch(encoded):
        return Reference("", "", digest=digest)
    return qualify(text, default_registry)


def _is_domain(component: str) -> bool:
    return component == "localhost" or "." in component or ":" in component or component != component.lower()
