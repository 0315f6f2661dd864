"""The images of another tool's file, and the zbuild.yaml that they become."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from zbuild.syntax.nodes import Mapping, Scalar, Sequence, scalars_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.syntax.nodes import Node

Yaml = dict[str, Any]

_REMOTE = re.compile(r"[a-z+]+://|git@|[a-z-]+:[^/\\]", re.IGNORECASE)
_UNSUITED = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(slots=True)
class Imported:
    """What was read of another tool's file; `prefix` leads from the zbuild.yaml's folder to that file's."""

    prefix: str
    diagnostics: Diagnostics
    vars: Yaml = field(default_factory=dict)
    images: dict[str, Yaml] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, what: str, span: Span, hint: str = "") -> None:
        """Note that something is not taken over."""
        self.diagnostics.warning("dropped", f"{what} is not taken over", span, hint)

    def path(self, path: str) -> str:
        """Return a path of the file as one relative to the zbuild.yaml."""
        return posixpath.normpath(posixpath.join(self.prefix, path))

    def place(self, image: Yaml, context: Scalar | None, file: Scalar | None) -> bool:
        """Set where an image is built from; False for a context that is no folder, which is noted."""
        folder = "." if context is None else context.text
        if context is not None and _REMOTE.match(folder):
            self.drop(f"the context '{folder}', which is no folder,", context.span)
            return False
        image["context"] = self.path(folder)
        if file is not None:
            image["file"] = self.path(posixpath.join(folder, file.text))
        return True

    def text(self, origin: str) -> str:
        """Return the zbuild.yaml; `origin` is the file it comes from."""
        content: Yaml = {"version": "1"}
        content |= {"vars": self.vars} if self.vars else {}
        content |= {"images": self.images, **({"groups": self.groups} if self.groups else {})}
        dumped = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
        return f"# Made from {origin} by 'zbuild import'.\n{dumped}"


def image_name(text: str) -> str:
    """Return a name for an image that zbuild allows, as near to a text as can be."""
    return _UNSUITED.sub("-", text).strip("-.") or "image"


def merged(node: Node | None) -> Mapping:
    """Return a mapping, or the mappings of a list as one: HCL's JSON form writes blocks so. Later keys win."""
    if isinstance(node, Mapping):
        return node
    if not isinstance(node, Sequence):
        return Mapping()
    items = {key.text: (key, value) for part in node.items for key, value in merged(part).items}
    return Mapping(tuple(items.values()), node.span)


def pairs(node: Node | None) -> Iterator[tuple[Scalar, Scalar | None]]:
    """Yield the names and values of a mapping, or of a list of `NAME=VALUE`; without a value: None."""
    if isinstance(node, Mapping):
        for key, value in node.items:
            yield key, value if isinstance(value, Scalar) and not value.is_null else None
        return
    for item in scalars_of(node):
        name, equals, text = item.text.partition("=")
        yield Scalar(name, span=item.span), Scalar(text, plain=False, span=item.span) if equals else None
