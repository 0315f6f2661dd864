"""`--set PATH=VALUE` and `--set PATH+=VALUE`: single values of a workspace, set for one run.

They are laid over the build files last, by the rule of `merge`: variables are replaced by then and a matrix's images
written out, and the schema is held against the result. So the value is taken as it is, and a path can name one image of
a matrix, or all of them.
"""

from __future__ import annotations

from dataclasses import field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import UsageError
from zbuild.base.span import Span
from zbuild.base.text import did_you_mean
from zbuild.frontend.buildfile.merge import merge_files, merge_image
from zbuild.frontend.buildfile.rebase import rebased
from zbuild.frontend.buildfile.setting_path import split_path, split_setting
from zbuild.syntax.nodes import Mapping, Scalar, Sequence, kind_of, scalars_of
from zbuild.syntax.schema_part import SchemaPart

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbuild.syntax.nodes import Node

_COMMANDS = frozenset({"cmd", "entrypoint"})  # a text is the shell's there, commas and all


@dataclass(frozen=True, slots=True)
class Assignment:
    """One value to set: under `keys` of the images that `pattern` matches, or of the file when that is ""."""

    path: str
    pattern: str
    keys: tuple[str, ...]
    text: str
    adds: bool
    is_list: bool

    @property
    def span(self) -> Span:
        """What problems are shown at."""
        return Span(f"--set {self.path}", 0)

    def matches(self, *names: str) -> bool:
        """Say whether it is for an image of one of these names."""
        return any(name == self.pattern or fnmatchcase(name, self.pattern) for name in names)

    def over(self, node: Mapping) -> Mapping:
        """Return what is to be laid over a mapping. Raises UsageError when what is there cannot be added to."""
        known: Node | None = node
        for key in self.keys:
            known = known.get(key) if isinstance(known, Mapping) else None
        value: Node = self._value(known)
        for key in reversed(self.keys):
            value = Mapping(((Scalar(key, plain=False, span=self.span), value),), self.span)
        return value if isinstance(value, Mapping) else Mapping()

    def _value(self, known: Node | None) -> Node:
        if not self.is_list:
            return Scalar(self.text, span=self.span)
        if self.adds and (isinstance(known, Mapping) or (isinstance(known, Scalar) and known.boolean is not None)):
            hint = f"it is at {known.span}"
            raise UsageError("bad-path", f"--set {self.path}+=: this is {kind_of(known)}, not a list", hint=hint)
        before = tuple(scalars_of(known)) if self.adds else ()
        texts = [self.text] if self.keys[-1] in _COMMANDS else self.text.split(",")
        return Sequence((*before, *(Scalar(text.strip(), span=self.span) for text in texts)), self.span)


@dataclass(slots=True)
class Assignments:
    """What a command line sets; it remembers which of it found an image to be set in."""

    items: tuple[Assignment, ...] = ()
    _used: set[Assignment] = field(default_factory=set)
    _names: dict[str, None] = field(default_factory=dict)

    @classmethod
    def read(cls, texts: Iterable[str]) -> Assignments:
        """Read them as `--set` gives them. Raises UsageError for a path that leads nowhere."""
        return cls(tuple(map(_read, texts)))

    def to_file(self, node: Node) -> Node:
        """Set in the workspace's own build file what is not an image's."""
        for item in self.items:
            if isinstance(node, Mapping) and not item.pattern:
                node = merge_files(node, item.over(node))
        return node

    def to_image(self, node: Node, folder: str, *names: str) -> Node:
        """Set what is for an image, by its name or that of the matrix which has made it.

        `folder` is that of its build file; paths that are set are relative to the workspace.
        """
        self._names |= dict.fromkeys(names)
        for item in self.items:
            if isinstance(node, Mapping) and item.pattern and item.matches(*names):
                self._used.add(item)
                node = merge_image(node, rebased(item.over(node), ".", folder))
        return node

    def check(self) -> None:
        """Raise UsageError for what is meant for an image that is not there."""
        for item in self.items:
            if item.pattern and item not in self._used:
                hint = did_you_mean(item.pattern, self._names) or "`zbuild list` shows what there is"
                raise UsageError("unknown-path", f"--set {item.path}: there is no image '{item.pattern}'", hint=hint)


def _read(text: str) -> Assignment:
    path, value, adds = split_setting(text)
    pattern, keys = split_path(path)
    part = SchemaPart.root("zbuild").at(["images", "any", *keys] if pattern else keys)
    takes_list = part is not None and "array" in part.types
    if adds and not takes_list:
        raise UsageError("bad-path", f"--set {path}+=: only lists can be added to", hint=f"write {path}={value}")
    return Assignment(path, pattern, keys, value, adds, takes_list and (adds or keys[-1] not in _COMMANDS))
