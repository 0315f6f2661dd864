"""`extends`: images that start from the settings of other images, or of templates, which are never built themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.text import did_you_mean
from zbuild.frontend.buildfile.merge import merge_image
from zbuild.frontend.buildfile.rebase import rebased
from zbuild.syntax.nodes import Mapping

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.syntax.nodes import Scalar

_DEEPEST = 32  # more is a mistake, and each level makes a copy
_OWN = frozenset({"tags", "name"})  # what an image is called, nobody else can be called


@dataclass(frozen=True, slots=True)
class Parent:
    """What can be extended, with all that it extends itself; its paths are relative to `folder`."""

    node: Mapping
    folder: str
    is_template: bool

    def heritage(self, folder: str) -> Mapping:
        """Return what a build file in `folder` takes over: a template's all, of an image not what it is called."""
        items = tuple((key, value) for key, value in self.node.items if self.is_template or key.text not in _OWN)
        return rebased(Mapping(items, self.node.span), self.folder, folder)


def resolve_extends(
    root: Mapping, folder: str, inherited: Dict[str, Parent], diagnostics: Diagnostics
) -> dict[str, Parent]:
    """Return the images and templates of a build file with what they extend merged in, and those it inherits.

    A file sees its own and those of the files that include it; its own come first. What is wrong is noted.
    """
    family = _Family(folder, inherited, diagnostics)
    family.gather(root.mapping("templates"), is_template=True)
    family.gather(root.mapping("images"), is_template=False)
    return family.resolved()


class _Family:
    """Resolves names depth first; `_path` are those that are being resolved."""

    def __init__(self, folder: str, inherited: Dict[str, Parent], diagnostics: Diagnostics) -> None:
        self._folder = folder
        self._inherited = inherited
        self._diagnostics = diagnostics
        self._own: dict[str, tuple[Scalar, Parent]] = {}
        self._done: dict[str, Parent] = {}
        self._path: list[str] = []

    def gather(self, nodes: Mapping, *, is_template: bool) -> None:
        for name, node in nodes.items:
            if not isinstance(node, Mapping):
                continue
            first, _ = self._own.setdefault(name.text, (name, Parent(node, self._folder, is_template)))
            if first is not name:
                message = f"'{name.text}' is a template already: {first.span}"
                self._diagnostics.error("duplicate-name", message, name.span, "give one of them another name")

    def resolved(self) -> dict[str, Parent]:
        for name in self._own:
            self._resolve(name)
        return {**self._inherited, **self._done}

    def _resolve(self, name: str) -> Parent:
        if name not in self._done:
            _, own = self._own[name]
            self._path.append(name)
            node: Mapping = Mapping()
            for parent in own.node.scalars("extends"):
                found = self._find(parent)
                node = _laid_over(node, found.heritage(self._folder)) if found else node
            self._path.pop()
            self._done[name] = replace(own, node=_laid_over(node, own.node))
        return self._done[name]

    def _find(self, name: Scalar) -> Parent | None:
        """Return what a name of an `extends` means; None, with the problem noted, when it means nothing."""
        if self._path[-1] == name.text and name.text in self._inherited:  # it goes on from the one of that name above
            return self._inherited[name.text]
        if name.text in self._path:
            cycle = [*self._path[self._path.index(name.text) :], name.text]
            message = f"these images extend each other: {' → '.join(cycle)}"
            self._diagnostics.error("extends-cycle", message, name.span, "take out one of these 'extends'")
        elif len(self._path) > _DEEPEST:
            message = f"images extend each other more than {_DEEPEST} deep here"
            self._diagnostics.error("too-deep", message, name.span)
        elif name.text in self._own:
            return self._resolve(name.text)
        elif name.text in self._inherited:
            return self._inherited[name.text]
        else:
            hint = did_you_mean(name.text, [*self._own, *self._inherited]) or (
                "'extends' takes images and templates of this file, and of those that include it"
            )
            self._diagnostics.error("unknown-parent", f"there is nothing named '{name.text}' here", name.span, hint)
        return None


def _laid_over(under: Mapping, over: Mapping) -> Mapping:
    merged = merge_image(under, over)
    return Mapping(merged.items if isinstance(merged, Mapping) else (), over.span)
