"""What references mean: the digest of a platform's manifest, as a registry said it, and that image's configuration.

Answers are noted with the time they were given, so that a registry need not be asked in each run; no layer is pulled.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import RegistryError, UsageError
from zbuild.base.once import Once
from zbuild.base.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.base.platform import Platform
    from zbuild.fetch.store import FetchedStore

TRUSTED_SECONDS = 3600.0
"""How long an answer is good enough for those who do not ask at once."""

AWAY = ("registry-unreachable", "registry-unknown")
"""The codes of errors that say that nobody answers, and nobody will in a minute."""
Pace: TypeAlias = Literal["hurried", "patient"]
Answer = TypeVar("Answer")
_SILENT = "registry-silent"
_PASSING = ("registry-busy", _SILENT, "registry-broke-off")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reference meant for a platform.

    `digest` is that of the platform's manifest, `top` what the registry has under the reference: the same, or that of
    an index which lists it. `asked` is unix time. `seen` is the id of the image that had the reference for a name in
    the store then, "" for none.
    """

    digest: str
    top: str
    asked: float
    seen: str = ""

    @property
    def trusted_until(self) -> float:
        """The unix time up to which nobody need ask again; 0 for an answer of the future: the clock was set back."""
        return self.asked + TRUSTED_SECONDS if self.asked <= time.time() else 0.0


class Asker(Protocol):
    """A client of registries. Methods raise RegistryError, and UsageError where the user's settings are broken."""

    def head(self, reference: str) -> str:
        """Return the digest of what a registry has under a reference, by one request without a body."""
        ...

    def manifest(self, reference: str, digest: str, platform: Platform) -> tuple[str, str]:
        """Return the digest of a platform's manifest, and that of its configuration.

        `digest` is the manifest's own, or that of an index which lists it.
        """
        ...

    def config(self, reference: str, digest: str) -> bytes:
        """Return an image's configuration by its digest, which it was compared with."""
        ...


class Meanings:
    """Answers for one run, from any thread; `store` keeps the notes.

    `client` returns what asks registries, at two paces: how long it hopes that faults pass.
    """

    def __init__(self, store: FetchedStore, client: Callable[[Pace], Asker]) -> None:
        self._store = store
        self._client = client
        self._tops: Once[str, str] = Once()
        self._asked: Once[tuple[str, Platform], Meaning] = Once()
        self._configs: Once[tuple[str, Platform], dict[str, Any]] = Once()
        self._away: dict[str, RegistryError] = {}

    def known(self, reference: str, platform: Platform) -> Meaning | None:
        """Return what was noted of a reference the last time it was asked for."""
        note = self._store.note("base", reference, str(platform))
        try:
            return Meaning(note["digest"], note["top"], float(note["asked"]), note["seen"])
        except (KeyError, ValueError):
            return None

    def ask(self, reference: str, platform: Platform, seen: str = "", *, at_hand: bool = False) -> Meaning:
        """Ask the registry, once a run, and note the answer; `seen` is as in Meaning.

        Where no image is at hand, a registry in trouble is waited for. Raises RegistryError.
        """
        return self._asked.get((reference, platform), lambda: self._ask(reference, platform, seen, at_hand=at_hand))

    def _ask(self, reference: str, platform: Platform, seen: str, *, at_hand: bool) -> Meaning:
        top = self._tops.get(reference, lambda: self._head(reference, at_hand=at_hand))
        known = self.known(reference, platform)
        digest = known.digest if known is not None and known.top == top else ""
        if not digest:
            digest, config = self._tried(lambda client: client.manifest(reference, top, platform), at_hand=at_hand)
            self._store.keep_note({"config": config}, "manifest", digest)
        meaning = Meaning(digest, top, time.time(), seen)
        note = {"digest": digest, "top": top, "asked": str(meaning.asked), "seen": seen}
        self._store.keep_note(note, "base", reference, str(platform))
        return meaning

    def _head(self, reference: str, *, at_hand: bool) -> str:
        """Return what a registry has under a reference, unless it was found to be away in this run."""
        registry = parse_reference(reference).domain
        away = self._away.get(registry)
        if away is not None:
            raise RegistryError(away.code, f"cannot read {reference}: {registry} does not answer", hint=away.hint)
        try:
            return self._tried(lambda client: client.head(reference), at_hand=at_hand)
        except RegistryError as error:
            if error.code in (*AWAY, _SILENT):
                self._away[registry] = error
            raise

    def known_config(self, digest: str) -> dict[str, Any] | None:
        """Return the configuration of an image, by its manifest's digest, where it was noted."""
        return _object(self._store.note("config", digest).get("text", ""))

    def config(self, reference: str, digest: str, platform: Platform) -> dict[str, Any]:
        """Return the configuration of an image, by its manifest's digest. Raises RegistryError."""
        known = self.known_config(digest)
        if known is not None:
            return known
        return self._configs.get((digest, platform), lambda: self._ask_config(reference, digest, platform))

    def _ask_config(self, reference: str, digest: str, platform: Platform) -> dict[str, Any]:
        noted = self._store.note("manifest", digest).get("config", "")

        def ask(client: Asker) -> bytes:
            return client.config(reference, noted or client.manifest(reference, digest, platform)[1])

        config = _object(self._tried(ask))
        if config is None:
            raise RegistryError("registry-answer", f"the configuration of {reference} at {digest} is no JSON object")
        self._store.keep_note({"text": json.dumps(config)}, "config", digest)
        return config

    def _tried(self, ask: Callable[[Asker], Answer], *, at_hand: bool = False) -> Answer:
        """Ask in a hurry; where that ends in what may pass, and nothing else is at hand, patiently."""
        try:
            return ask(self._client("hurried"))
        except UsageError as error:  # settings of the user's that forbid to ask, or cannot be read
            raise RegistryError(error.code, error.message, hint=error.hint) from error
        except RegistryError as error:
            if at_hand or error.code not in _PASSING:
                raise
        return ask(self._client("patient"))


def _object(data: bytes | str) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
