"""Base images: which one a reference means in this run, by the lock, the store, the notes and the registries.

Nothing is pulled to find that out. An image that is not in the store is known by its digest and its configuration
alone, until a stage that stands on it must run.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zbuild.backend.image_json import diff_ids, parse_config
from zbuild.backend.local_names import full_name, is_local
from zbuild.backend.protocol import BaseImage
from zbuild.base.errors import RegistryError
from zbuild.base.once import Once
from zbuild.base.platform import host_platform
from zbuild.base.reference import parse_reference
from zbuild.fetch.at_once import ask_at_once
from zbuild.fetch.meanings import AWAY
from zbuild.model.image_config import ImageConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import TypeAlias

    from zbuild.backend.protocol import Backend, PullPolicy
    from zbuild.base.platform import Platform
    from zbuild.fetch.meanings import Meaning, Meanings
    from zbuild.model.lock import LockedBase

    Wanted: TypeAlias = tuple[str, Platform, PullPolicy]

_RETRY_SECONDS = 60.0


class Bases:
    """Answers for one run, from any thread.

    `locked` are the bases of the lock file by reference and platform. `tell` is told what is being pulled, `warn` when
    a registry cannot be asked; `cancel` ends what is being asked. With `only_look`, of an image that is not to be had
    no configuration is known.
    """

    def __init__(
        self,
        backend: Backend,
        meanings: Meanings,
        locked: Mapping[tuple[str, str], LockedBase],
        tell: Callable[[str], None],
        warn: Callable[[str], None],
        cancel: Callable[[], None],
        *,
        only_look: bool = False,
    ) -> None:
        self._backend = backend
        self._meanings = meanings
        self._locked = locked
        self._tell = tell
        self._warn = warn
        self._cancel = cancel
        self._only_look = only_look
        self._warned: set[str] = set()
        self._guard = threading.Lock()
        self.fresh_until = float("inf")
        self.forget()

    def forget(self) -> None:
        """Look into the store anew from now on, for something has left it. No registry is asked again."""
        self._found: Once[Wanted, BaseImage] = Once()
        self._pulled: Once[tuple[str, Platform, str], BaseImage] = Once()

    def prepare(self, wanted: Collection[Wanted]) -> None:
        """Ask registries for several bases at once, for `find` to answer later."""
        far = [one for one in dict.fromkeys(wanted) if not self._is_at_hand(one)]
        if len(far) > 1:
            ask_at_once(far, lambda one: self.find(*one), self._cancel)

    def _is_at_hand(self, one: Wanted) -> bool:
        try:
            image = self._at_hand(*one)
        except RegistryError:  # raised again by `find`
            return True
        if image is None:
            return False
        self._found.get(one, lambda: image)
        return True

    def find(self, reference: str, platform: Platform, policy: PullPolicy) -> BaseImage:
        """Return the image that a reference means, its id "" while it is not in the store.

        `fresh_until` becomes the unix time, over all answers, up to which nobody need ask again; 0 for never. Raises
        RegistryError, the same again for one that was not to be had.
        """
        one = (reference, platform, policy)
        return self._found.get(one, lambda: self._at_hand(*one) or self._far(*one))

    # -- without asking

    def _at_hand(self, reference: str, platform: Platform, policy: PullPolicy) -> BaseImage | None:
        """Return the image if no registry need be asked. Raises RegistryError when none may be, and it is not here."""
        if is_local(reference) or not self._backend.capabilities().pulls:
            return self._backend.resolve(reference, platform, "never")
        digest = self._fixed(reference, platform)
        if digest:
            return self._noted(reference, platform, digest, policy)
        here, known = self._standing(reference, platform)
        if policy == "never":
            return here or self._backend.resolve(reference, platform, policy)
        if here is not None and (policy == "missing" or parse_reference(reference).digest):
            return here
        if policy == "always" or known is None or known.trusted_until < time.time():
            return None
        self._keep_fresh(known.trusted_until)
        return self._noted(reference, platform, known.digest, policy)

    def _fixed(self, reference: str, platform: Platform) -> str:
        """Return the digest of what the lock says, or a reference by digest is known to mean; "" for any other."""
        if locked := self._locked.get((reference, str(platform))):
            return locked.digest
        known = self._meanings.known(reference, platform) if parse_reference(reference).digest else None
        return "" if known is None else known.digest

    def _standing(self, reference: str, platform: Platform) -> tuple[BaseImage | None, Meaning | None]:
        """Return what the store has for a reference, and what that meant when last asked for.

        The latter no longer counts when another image has been given its name since: somebody pulled it, or built it.
        """
        named = self._in_store(reference, platform)
        known = self._meanings.known(reference, platform)
        if known is None:
            return named, None
        meant = self._in_store(_exact(reference, known.digest), platform)
        ids = (known.seen, meant.image_id if meant else "")
        if named is not None and named.image_id not in ids:
            return named, None
        return (replace(meant, digest=known.digest) if meant else named), known

    def _in_store(self, reference: str, platform: Platform) -> BaseImage | None:
        try:
            return self._backend.resolve(reference, platform, "never")
        except RegistryError:
            return None

    def _noted(self, reference: str, platform: Platform, digest: str, policy: PullPolicy) -> BaseImage | None:
        """Return the image of a digest from the store, or as it was noted; None when neither has it."""
        exact = _exact(reference, digest)
        here = self._in_store(exact, platform)
        if here is not None:
            return replace(here, digest=digest)
        if policy == "never":
            return self._backend.resolve(exact, platform, policy)
        config = self._meanings.known_config(digest)
        return None if config is None else _far_image(digest, config)

    # -- by asking

    def _far(self, reference: str, platform: Platform, policy: PullPolicy) -> BaseImage:
        """Return an image that a registry must be asked for. Raises RegistryError."""
        digest = self._fixed(reference, platform)
        try:
            if not digest:
                here, _ = self._standing(reference, platform)
                try:
                    digest = self._asked(reference, platform, policy, at_hand=here is not None)
                except RegistryError as error:
                    if here is None or policy == "always":
                        raise
                    return self._instead(here, reference, error)
            return self._noted(reference, platform, digest, policy) or _far_image(
                digest, self._meanings.config(reference, digest, platform)
            )
        except RegistryError as error:
            if self._only_look:
                return BaseImage("", digest, ImageConfig())
            if error.code not in AWAY:
                raise
        # What pulls may know mirrors of a registry that is away.
        return self._backend.resolve(_exact(reference, digest), platform, "always")

    def _asked(self, reference: str, platform: Platform, policy: PullPolicy, *, at_hand: bool) -> str:
        named = self._in_store(reference, platform)
        meaning = self._meanings.ask(reference, platform, named.image_id if named else "", at_hand=at_hand)
        self._keep_fresh(0.0 if policy == "always" else meaning.trusted_until)
        return meaning.digest

    def _instead(self, here: BaseImage, reference: str, error: RegistryError) -> BaseImage:
        """Take what is here for what could not be asked for; one warning a registry is enough."""
        registry = parse_reference(reference).domain
        with self._guard:
            first = registry not in self._warned
            self._warned.add(registry)
        if first:
            self._warn(f"{error.message}; the images that are here are used")
        self._keep_fresh(time.time() + _RETRY_SECONDS)
        return here

    def _keep_fresh(self, until: float) -> None:
        with self._guard:
            self.fresh_until = min(self.fresh_until, until)

    # -- layers

    def pulled(self, reference: str, platform: Platform, image: BaseImage) -> BaseImage:
        """Return an image of `find` as it is in the store, its layers pulled if they must be. Raises RegistryError."""
        if image.image_id:
            return image
        one = (reference, platform, image.digest)
        return self._pulled.get(one, lambda: self._pull(*one))

    def _pull(self, reference: str, platform: Platform, digest: str) -> BaseImage:
        self._tell(f"pulling {reference}")
        image = self._backend.resolve(_exact(reference, digest), platform, "missing")
        if platform == host_platform() and not self._fixed(reference, platform):
            self._name(image.image_id, full_name(reference))
        return replace(image, digest=digest)

    def _name(self, image_id: str, name: str) -> None:
        """Give an image the name it was pulled for, for other workspaces to find it by where nobody can be asked.

        A name that stands for what did not come from its registry by digest may be somebody's work: it stays there.
        """
        pulled = f"{parse_reference(name).name}@"
        holders = [names for names in self._backend.images().values() if name in names]
        if all(any(one.startswith(pulled) for one in names) for names in holders):
            self._backend.tag(image_id, [name])


def _exact(reference: str, digest: str) -> str:
    """Return the reference by digest; as it is, where that is not known."""
    return f"{parse_reference(reference).name}@{digest}" if digest else reference


def _far_image(digest: str, config: dict[str, Any]) -> BaseImage:
    return BaseImage("", digest, parse_config(config), diff_ids(config))
