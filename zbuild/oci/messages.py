"""What is asked of a registry, and what it answers."""

from __future__ import annotations

from dataclasses import field
from typing import IO, TYPE_CHECKING

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zbuild.oci.hosts import Place


@dataclass(frozen=True, slots=True)
class Request:
    """One request about `place`; `what` says for messages what it is for, such as `cannot read web:1`.

    `url` is a path of the registry (`/v2/…`), or whole. `body` opens what is sent, `size` bytes of it, for every
    attempt anew. `scopes` are what a token must allow.
    """

    method: str
    place: Place
    url: str
    what: str
    expect: tuple[int, ...] = (200,)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], IO[bytes]] | None = None
    size: int = 0
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `url` is where it came from, redirects followed. The names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
