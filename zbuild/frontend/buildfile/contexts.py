"""`contexts` of a zbuild.yaml: named build contexts, of the workspace or of one image; and which folders they allow.

Paths of build files stay inside the workspace, with one exception: a folder that the workspace's own `contexts` name
may lie outside, and then so may the contexts of images that are in it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.text import did_you_mean
from zbuild.frontend.contexts import ContextError, context_name, parse_context
from zbuild.frontend.paths import is_absolute, leads_out, resolve_path
from zbuild.model.contexts import FolderContext
from zbuild.model.definition import NestedBuild
from zbuild.syntax.nodes import Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.model.contexts import NamedContext, NamedContexts
    from zbuild.model.project import ImageSpec
    from zbuild.syntax.nodes import Node

_ALLOW = "name that folder in the workspace's 'contexts', which allows it"


@dataclass(frozen=True, slots=True)
class Folders:
    """The workspace at `root` and the folders outside of it that its `contexts` name: where contexts may be."""

    root: Path
    outside: tuple[str, ...] = ()

    def with_contexts(self, contexts: NamedContexts) -> Folders:
        """Return these with the folders of the workspace's contexts."""
        paths = (context.path for _, context in contexts if isinstance(context, FolderContext))
        return Folders(self.root, tuple(os.path.realpath(self.root / path) for path in paths))

    def context(self, folder: str, value: Scalar, diagnostics: Diagnostics) -> str:
        """Return a context's path, written relative to `folder`, as one relative to the workspace.

        One that is no folder, or nowhere allowed, is noted.
        """
        path = self.path(folder, value.text)
        if self._allows(path) and not _on_drive(value.text):
            self.check_folder(path, value, diagnostics)
            return path
        if is_absolute(value.text):
            message = f"'{value.text}' is absolute"
        elif resolve_path(folder, value.text) is None:
            message = f"'{value.text}' leads out of the workspace"
        else:
            message = f"'{value.text}' is a link that leads out of the workspace"
        diagnostics.error("outside-workspace", message, value.span, _ALLOW)
        return "."

    def path(self, folder: str, path: str) -> str:
        """Return a path relative to `folder` as one relative to the workspace; it may lead out, or be absolute."""
        return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118 - pathlib does not take `..` away

    def check_folder(self, path: str, value: Scalar, diagnostics: Diagnostics) -> None:
        """Note a path that is no folder."""
        if not os.path.isdir(self.root / path):  # noqa: PTH112 - never raises
            diagnostics.error("missing-folder", f"there is no folder '{path}'", value.span)

    def _allows(self, path: str) -> bool:
        real = os.path.realpath(self.root / path)
        inside = any(real == folder or real.startswith(folder.rstrip("/") + "/") for folder in self.outside)
        return inside or not leads_out(self.root, path)


def _on_drive(path: str) -> bool:
    return is_absolute(path) and not path.startswith("/")


def workspace_contexts(root: Mapping, folder: str, folders: Folders, diagnostics: Diagnostics) -> NamedContexts:
    """Return the contexts of a whole workspace, whose folders may be anywhere; what is wrong is noted."""

    def take(value: Scalar) -> str:
        found = folders.path(folder, value.text)
        folders.check_folder(found, value, diagnostics)
        return found

    return tuple(_read(root.mapping("contexts"), take, diagnostics))


def image_contexts(node: Mapping, folder: str, folders: Folders, diagnostics: Diagnostics) -> NamedContexts:
    """Return the contexts of one image; what is wrong is noted."""

    def take(value: Scalar) -> str:
        return folders.context(folder, value, diagnostics)

    return tuple(_read(node.mapping("contexts"), take, diagnostics))


def _read(node: Mapping, take: Callable[[Scalar], str], diagnostics: Diagnostics) -> Iterator[tuple[str, NamedContext]]:
    """Yield the contexts of a mapping; `take` returns the path of a folder."""
    seen: dict[str, str] = {}
    for key, value in node.items:
        try:
            name = context_name(key.text)
            context = _parsed(value)
        except ContextError as error:
            span = value.span if error.code == "not-yet" else key.span
            diagnostics.error(error.code, str(error), span, error.hint)
            continue
        if name in seen:
            message = f"'{key.text}' and '{seen[name]}' name the same context"
            diagnostics.error("duplicate-name", message, key.span, "take one of them out")
        seen[name] = key.text
        if isinstance(context, FolderContext) and isinstance(value, Scalar):
            context = FolderContext(take(value))
        yield name, context


def _parsed(value: Node) -> NamedContext:
    if isinstance(value, Mapping):  # the schema allows no other keys
        return NestedBuild(image=value.text("image"), target=value.text("target"), span=value.span)
    return parse_context(value.text if isinstance(value, Scalar) else "", value.span)


def check_contexts(
    images: Iterable[ImageSpec], shared: NamedContexts, names: Collection[str], diagnostics: Diagnostics
) -> None:
    """Note every context that is an unknown image, or the very image it is a context of."""
    for owner, contexts in (("", shared), *((spec.name, spec.contexts) for spec in images)):
        for name, context in contexts:
            if not isinstance(context, NestedBuild) or diagnostics.full:
                continue
            if context.image == owner:
                message = f"image '{owner}' is its own context '{name}'"
                diagnostics.error("cycle", message, context.span, "take it out")
            elif context.image not in names:
                message = f"the context '{name}' is image '{context.image}', which there is not"
                diagnostics.error("unknown-image", message, context.span, did_you_mean(context.image, names))
