"""`zbuild lock`: writes down which manifests the base images of a workspace mean."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.api.locks import load_lock, lockable_uses, unlocked
from zbuild.api.session import open_registries
from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import BuildFileError, MissingImagesError, RegistryError, UsageError
from zbuild.base.platform import parse_platform
from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import normalise
from zbuild.base.text import did_you_mean
from zbuild.execution.signals import Interruption
from zbuild.fetch.at_once import ask_at_once
from zbuild.fetch.meanings import Meanings
from zbuild.fetch.store import FetchedStore
from zbuild.frontend.lock_file import LOCK_FILE, lock_text
from zbuild.model.lock import Lock, LockedBase
from zbuild.state.folder import atomic_write

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from zbuild.base.span import Span
    from zbuild.graph.base_uses import BaseUse
    from zbuild.graph.types import Graph
    from zbuild.state.folder import StateFolder

    Base: TypeAlias = tuple[str, str]  # a reference, and a platform
    Uses: TypeAlias = Mapping[Base, Sequence[BaseUse]]

_WRITE = "run 'zbuild lock'"


@dataclass(frozen=True, slots=True)
class LockChange:
    """What became of one base in the lock: `old` "" for one that is new in it, `new` "" for one that left it."""

    reference: str
    platform: str
    old: str
    new: str


def write_lock(
    root: Path, folder: StateFolder, graph: Graph, names: Collection[str], *, update: bool
) -> tuple[LockChange, ...]:
    """Bring the lock file in line with a graph of all images, and return what changed.

    A registry is asked for what the lock does not hold, and with `update` for what `names` name: images, or references;
    without names for everything. What the lock holds of other platforms stays, and is asked for with its reference: the
    lock may be of machines that are not like this one.

    Raises UsageError for unknown names; MissingImagesError with every base that is not to be had, in which case nothing
    is written.
    """
    lock = load_lock(root, folder)
    uses = _by_base(graph)
    references = {reference for reference, _ in uses}
    held = {base: locked for base, locked in lock.by_use().items() if base[0] in references}
    moving = _selected(names, uses) if update else set()
    places = {base: [locked.span] for base, locked in held.items()}
    places |= {base: [use.span for use in stages] for base, stages in uses.items()}
    asked = {base: spans for base, spans in places.items() if base not in held or base[0] in moving}
    digests = _ask(folder, asked) if asked else {}
    new = Lock(tuple(_locked(base, held.get(base), uses.get(base, ()), digests) for base in places), present=True)
    text = lock_text(new)
    if not lock.present or text != lock_text(lock):
        atomic_write(root / LOCK_FILE, text.encode(), mode=0o666)
    return tuple(_changes(lock, new))


def check_lock(root: Path, folder: StateFolder, graph: Graph) -> None:
    """Raise BuildFileError with what the lock file lacks for a graph of all images, and what nothing asks for."""
    lock = load_lock(root, folder)
    references = {reference for reference, _ in _by_base(graph)}
    extra = [
        Diagnostic("not-used", f"no build file asks for {base.reference}", base.span, _WRITE)
        for base in lock.bases
        if base.reference not in references
    ]
    if problems := (*unlocked(graph, lock), *extra):
        raise BuildFileError(problems)


def _by_base(graph: Graph) -> Uses:
    found: defaultdict[Base, list[BaseUse]] = defaultdict(list)
    for use in lockable_uses(graph):
        found[use.reference, str(use.vertex.platform)].append(use)
    return found


def _selected(names: Collection[str], uses: Uses) -> set[str]:
    """Return the references that names mean, all where there are none."""
    if not names:
        return {reference for reference, _ in uses}
    return {reference for name in names for reference in _meant(name, uses)}


def _meant(name: str, uses: Uses) -> set[str]:
    try:
        full = str(normalise(name))
    except BadReferenceError:
        full = name
    found = {base[0] for base, stages in uses.items() if base[0] == full or name in _images(stages)}
    if not found:
        known = {image for stages in uses.values() for image in _images(stages)} | {base[0] for base in uses}
        hint = did_you_mean(name, sorted(known)) or "name an image that stands on such a base, or the base's reference"
        raise UsageError("unknown-base", f"there is no base '{name}' to lock", hint=hint)
    return found


def _images(stages: Sequence[BaseUse]) -> set[str]:
    return {use.vertex.image for use in stages}


def _ask(folder: StateFolder, places: Mapping[Base, Sequence[Span]]) -> dict[Base, str]:
    """Return what the registries say that bases mean; `places` are where they are asked for."""
    registries = open_registries()
    meanings = Meanings(FetchedStore(folder.fetched), registries.asker)

    def ask(base: Base) -> str:
        return meanings.ask(base[0], parse_platform(base[1])).digest

    with Interruption(lambda: None, registries.close), registries:
        ask_at_once(list(places), ask, registries.close)
        return _answers(places, ask)


def _answers(places: Mapping[Base, Sequence[Span]], ask: Callable[[Base], str]) -> dict[Base, str]:
    """Gather the answers. Raises MissingImagesError with every place that asks for a base that is not to be had."""
    found: dict[Base, str] = {}
    missing: list[tuple[str, Diagnostic]] = []
    for base, spans in places.items():
        try:
            found[base] = ask(base)
        except RegistryError as error:
            missing += [(base[0], Diagnostic(error.code, error.message, span, error.hint)) for span in spans]
    if missing:
        raise MissingImagesError(missing)
    return found


def _locked(base: Base, old: LockedBase | None, stages: Sequence[BaseUse], digests: Mapping[Base, str]) -> LockedBase:
    """Return a base as the lock is to hold it; what has not moved keeps its time."""
    asked_by = tuple(sorted({use.vertex.id for use in stages})) or (old.asked_by if old else ())
    if old is not None and digests.get(base, old.digest) == old.digest:
        return replace(old, asked_by=asked_by)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return LockedBase(*base, digests[base], now, asked_by)


def _changes(old: Lock, new: Lock) -> Iterator[LockChange]:
    before, after = old.by_use(), new.by_use()
    for base in sorted({*before, *after}):
        was, now = (bases[base].digest if base in bases else "" for bases in (before, after))
        if was != now:
            yield LockChange(*base, was, now)
