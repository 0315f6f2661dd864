"""What a plan needs from outside the build files: base images and the contents of contexts."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.digest import xxh
from zbuild.base.errors import BuildFileError
from zbuild.base.gomatch import PatternError
from zbuild.base.span import Span
from zbuild.graph.base_uses import base_uses
from zbuild.plan.ignore import ignore_candidates, read_ignore
from zbuild.plan.sources import SelectionError
from zbuild.plan.statindex import StatIndex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from zbuild.backend.protocol import BaseImage, PullPolicy
    from zbuild.base.platform import Platform
    from zbuild.fetch.bases import Bases
    from zbuild.fetch.remotes import Remotes
    from zbuild.graph.types import Vertex
    from zbuild.model.remote import RemoteOrigin
    from zbuild.model.steps import ContextOrigin, Selection
    from zbuild.plan.fingerprint import TreeDigest


# zbuild's own state is nobody's input: with it in a context, every build would change what it is made from.
_STATE = ("**/.zbuild",)


class WorkspaceSources:
    """Answers from the workspace's folders, the backend's store and other machines; each question once a run.

    `pull` is the policy that the command line asks for, "" when that is left to the build files.
    """

    def __init__(
        self, root: Path, stat_folder: Path, bases: Bases, remotes: Remotes, pull: PullPolicy | Literal[""]
    ) -> None:
        self.root = root
        self._bases = bases
        self._remotes = remotes
        self._stat_folder = stat_folder
        self._pull = pull
        self._ignores: dict[tuple[str, str], tuple[str, ...]] = {}
        self._indexes: dict[str, StatIndex] = {}
        self._lock = threading.Lock()
        self.ignore_files: set[str] = set()
        self.listings: dict[str, bytes] = {}

    def prepare_bases(self, vertices: Iterable[Vertex]) -> None:
        """Find out for all stages at once what the images mean that are not built here."""
        self._bases.prepare(
            [
                (use.reference, use.vertex.platform, self._policy(use.vertex.settings.pull))
                for use in base_uses(vertices)
            ]
        )

    def base(self, reference: str, platform: Platform, pull: str) -> BaseImage:
        """Find an image that is not built here, its id "" while it is not in the store. Raises RegistryError."""
        return self._bases.find(reference, platform, self._policy(pull))

    def pulled(self, reference: str, platform: Platform, pull: str) -> BaseImage:
        """Return an image that is not built here as it is in the store, pulled if it must be. Raises RegistryError."""
        return self._bases.pulled(reference, platform, self.base(reference, platform, pull))

    def _policy(self, pull: str) -> PullPolicy:
        """Return when to ask: as the command line says, else as a stage's image does."""
        return self._pull or pull or "newer"  # type: ignore[return-value] # the schema allows no other words

    def folder(self, context: str) -> str:
        """Return a context's absolute folder."""
        return os.path.normpath(self.root / context)

    def ignore(self, context: str, file: str) -> tuple[str, ...]:
        """Return the ignore patterns of a context, as read for this build file."""
        if (context, file) not in self._ignores:
            self._ignores[context, file] = self._read_ignore(context, file)
        return self._ignores[context, file]

    def _read_ignore(self, context: str, file: str) -> tuple[str, ...]:
        folder = Path(self.folder(context))
        build_file = self.root / file if file else None
        self.ignore_files.update(str(path) for path in ignore_candidates(folder, build_file))
        try:
            return (*read_ignore(folder, build_file), *_STATE)
        except PatternError as error:
            span = Span(os.path.relpath(error.file, self.root), error.line)
            raise BuildFileError([Diagnostic("bad-pattern", str(error), span)]) from None

    def digest(self, origin: ContextOrigin, selection: Selection) -> str:
        """Digest what a selection takes from a context, as the files are now."""
        tree = self.tree(origin, selection)
        self.listings[tree.digest] = tree.listing
        return tree.digest

    def tree(self, origin: ContextOrigin, selection: Selection) -> TreeDigest:
        """Digest a selection and list what it takes. Workers ask too, and an index takes one call at a time."""
        if not os.path.isdir(origin.path):  # noqa: PTH112 - never raises
            raise SelectionError("", f"there is no folder '{origin.path}'")
        with self._lock:
            return self._index(origin.path).digest(selection, origin.ignore, plain=origin.plain)

    def stamps(self, origin: ContextOrigin, selection: Selection) -> str:
        """Return the state that a selection's files were in when last digested; "" when they would not stand still."""
        with self._lock:
            return self._index(origin.path).stamps(selection, origin.ignore, plain=origin.plain)

    def shared_digest(self, origin: ContextOrigin, selection: Selection) -> str:
        """Return the sha256 of a selection in the state last digested; "" when the files are in another one by now."""
        with self._lock:
            return self._index(origin.path).shared_digest(selection, origin.ignore, plain=origin.plain)

    def remote(self, origin: RemoteOrigin, pull: str) -> str:
        """Return what names the files of another machine now. Raises RegistryError."""
        return self._remotes.identity(origin, self._policy(pull))

    def prepare(self, origins: Collection[RemoteOrigin], pull: str) -> None:
        """Ask other machines for several origins at once."""
        self._remotes.prepare(origins, self._policy(pull))

    def fetched(self, origin: RemoteOrigin, pull: str) -> str:
        """Return a folder that holds the files of another machine. Raises RegistryError."""
        return self._remotes.folder(origin, self._policy(pull))

    def _index(self, path: str) -> StatIndex:
        if path not in self._indexes:
            self._indexes[path] = StatIndex(os.fsencode(path), self._stat_folder / f"{xxh(path)}.stat")
        return self._indexes[path]

    def save(self) -> tuple[str, ...]:
        """Keep what was learned of the contexts' files; return the watch files that cover all that was digested."""
        return tuple(str(index.save()) for index in self._indexes.values())
