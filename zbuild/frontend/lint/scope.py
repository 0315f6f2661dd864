"""What is known of the variables of a stage without building it.

The environment that a base image from elsewhere brings along is not known. `is_undefined` says when a name that is
not declared may be reported all the same.
"""

from __future__ import annotations

import re
from dataclasses import field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.model import ops
from zbuild.model.definition import NamedBase
from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount, UnreadMount
from zbuild.syntax.words import WordError, expand_with_uses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from zbuild.model.definition import Definition, Stage
    from zbuild.model.mounts import WrittenMount
    from zbuild.syntax.words import Expansion

AUTOMATIC_ARGS = frozenset(
    f"{prefix}{what}" for prefix in ("BUILD", "TARGET") for what in ("PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT")
) | {"TARGETSTAGE"}
"""The ARGs that are there without being declared outside of stages, and with `ARG NAME` inside."""

# Bases that set PATH and nothing else.
_BARE_BASES = frozenset(
    {"scratch", "alpine", "busybox", "debian", "ubuntu", "centos", "rockylinux", "almalinux", "amazonlinux"}
)
_SPECIAL = re.compile(r"[$'\"\\`]")  # without one of these a word is its text
_LONGEST_VALUE = 4096  # characters; what is longer counts as unknown
_MOST_INHERITED = 1_000_000  # names copied from base stages; beyond that nothing is reported
_NEARLY_EQUAL = 0.9


@dataclass(slots=True)
class Scope:
    """Variables at one point of a stage: their values, those in `unknown` being declared without a known one.

    `bare`: no others can be set. `shell`, `workdir`: there was a SHELL, a WORKDIR. `lost`: there were too many names.
    """

    escape: str = "\\"
    values: dict[str, str] = field(default_factory=lambda: {"PATH": ""})
    unknown: set[str] = field(default_factory=lambda: {"PATH"})
    from_env: set[str] = field(default_factory=set)
    bare: bool = False
    lost: bool = False
    shell: bool = False
    workdir: bool = False

    def uses(self, word: str) -> Expansion | None:
        """Return what a word expands to, and the names it looks up; None for one that is wrong."""
        try:
            return expand_with_uses(word, self.values, escape=self.escape)
        except WordError:
            return None

    def heredoc_uses(self, text: str) -> Expansion | None:
        """Return as `uses` does what becomes of the text of a here-document, in which quotes mean nothing."""
        try:
            return expand_with_uses(text, self.values, quotes=False)
        except WordError:
            return None

    def text(self, word: str) -> str | None:
        """Return what a word expands to where that is known: all its names are set, with known values."""
        if not _SPECIAL.search(word):
            return word
        uses = self.uses(word)
        return uses.text if uses and not uses.unmatched and self.unknown.isdisjoint(uses.matched) else None

    def is_undefined(self, name: str, elsewhere: Iterable[str]) -> bool:
        """Say whether a name that is not set here is surely a mistake; `elsewhere` are names declared outside of it.

        On a base whose environment is not known, it is one when the name is declared elsewhere, is nearly that of a
        variable, or is no name that images use: those are in capitals.
        """
        if self.lost:
            return False
        if self.bare or name in elsewhere or name != name.upper():
            return True
        return bool(get_close_matches(name, self.values, n=1, cutoff=_NEARLY_EQUAL))

    def child(self) -> Scope:
        """Return the scope that a stage upon this one begins with."""
        return replace(self, values=dict(self.values), unknown=set(self.unknown), from_env=set(self.from_env))

    def apply(self, op: ops.Op, global_args: Mapping[str, str | None]) -> None:
        """Let an instruction have its effect."""
        match op:
            case ops.Arg(name, default) if name not in self.from_env:
                self._set(name, global_args.get(name) if default is None else self.text(default))
            case ops.Env(pairs):
                for key, value in [(self.text(key), self.text(value)) for key, value in pairs]:
                    if key is not None:
                        self._set(key, value)
                        self.from_env.add(key)
            case ops.Shell():
                self.shell = True
            case ops.Workdir():
                self.workdir = True

    def _set(self, name: str, value: str | None) -> None:
        known = value is not None and len(value) <= _LONGEST_VALUE
        self.values[name] = value if known and value is not None else ""
        (self.unknown.discard if known else self.unknown.add)(name)


def walk(definition: Definition) -> Iterator[tuple[ops.Op, Scope]]:
    """Yield every instruction with the scope it stands in, which is good until the next one is asked for."""
    outside = global_scope(definition)
    args: dict[str, str | None] = {arg.name: outside.text(f"${{{arg.name}}}") for arg in definition.args}
    finished: dict[str, Scope] = {}
    inherited = 0
    for stage in definition.stages:
        base = _base(stage, outside)
        parent = finished.get(base.lower())
        inherited += len(parent.values) if parent else 0
        if parent and inherited <= _MOST_INHERITED:
            scope = parent.child()
        else:
            scope = Scope(definition.escape, bare=is_bare(base), lost=parent is not None)
        for op in stage.ops:
            yield op, scope
            scope.apply(op, args)
        if stage.name:
            finished[stage.name.lower()] = scope


def global_scope(definition: Definition) -> Scope:
    """Return the variables that bases and platforms of stages may use."""
    scope = Scope(definition.escape, dict.fromkeys(AUTOMATIC_ARGS, ""), set(AUTOMATIC_ARGS), bare=True)
    for arg in definition.args:
        scope.apply(arg, {})
    return scope


def is_bare(base: str) -> bool:
    """Say whether a base image sets PATH alone."""
    return base.partition("@")[0].partition(":")[0].removeprefix("docker.io/").removeprefix("library/") in _BARE_BASES


def _base(stage: Stage, outside: Scope) -> str:
    """Return a stage's base, without what is not known of it (`alpine:$TAG` is an alpine of some kind)."""
    uses = outside.uses(stage.base.text) if isinstance(stage.base, NamedBase) else None
    return uses.text if uses else ""


def expanded_words(op: ops.Op) -> Iterator[str]:
    """Yield the words of an instruction that are expanded, and reported when their variables are not set."""
    match op:
        case ops.Env(pairs) | ops.Label(pairs):
            yield from (word for pair in pairs for word in pair)
        case ops.Workdir(word) | ops.User(word) | ops.StopSignal(word):
            yield word
        case ops.Volume(paths):
            yield from paths
        case ops.Copy():
            yield from (*op.sources, op.dest, op.owner, op.mode, op.checksum, *op.exclude)
        case ops.Run():
            yield from (word for mount in op.mounts for word in _mount_words(mount))
            yield from (word for pair in op.env for word in pair)


def _mount_words(mount: WrittenMount) -> tuple[str, ...]:
    match mount:
        case CacheMount():
            return (mount.target, mount.id, mount.path)
        case BindMount():
            return (mount.target, mount.path)
        case TmpfsMount():
            return (mount.target,)
        case SecretMount():
            return (mount.target, mount.id, mount.env)
        case SshMount():
            return (mount.target, mount.id)
        case UnreadMount(options):
            return tuple(value for _, value in options)
