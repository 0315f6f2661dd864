"""The images of another tool's file, and the zbuild.yaml that they become."""

from __future__ import annotations

import posixpath
import re
from dataclasses import field
from typing import TYPE_CHECKING, Any

import yaml

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import BuildFileError
from zbuild.syntax.nodes import Mapping, Scalar, Sequence, scalars_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.frontend.printing import Printed
    from zbuild.syntax.nodes import Node

Yaml = dict[str, Any]

_REMOTE = re.compile(r"[a-z+]+://|git@|[a-z-]+:[^/\\]", re.IGNORECASE)
_NAME = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_UNSUITED = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(slots=True)
class Imported:
    """What was read of another tool's file.

    `prefix` leads from the zbuild.yaml's folder to that file's; `as_zimagefile` returns a Dockerfile's text, which it
    calls by the name given, as a ZImagefile, and raises BuildFileError for one that is wrong.
    """

    prefix: str
    diagnostics: Diagnostics
    as_zimagefile: Callable[[bytes, str], Printed]
    vars: Yaml = field(default_factory=dict)
    images: dict[str, Yaml] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, what: str, span: Span | None, hint: str = "") -> None:
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
        if image["context"].split("/")[0] == ".." and context is not None:
            hint = "write the zbuild.yaml (-o) into a folder that holds both"
            message = f"the context '{folder}' lies outside of the workspace"
            self.diagnostics.warning("outside-workspace", message, context.span, hint)
        if file is not None:
            image["file"] = self.path(posixpath.join(folder, file.text))
        return True

    def inline(self, image: Yaml, dockerfile: Scalar, what: str) -> bool:
        """Put a Dockerfile that stands in the other file into an image; False when that cannot be, which is noted."""
        hint = "write it to a file of its own, and name that"
        if "$" in dockerfile.text:  # what expands it, the other tool or the build, would have to be told apart
            self.drop(f"{what} has variables,", dockerfile.span, hint)
            return False
        try:
            printed = self.as_zimagefile(dockerfile.text.encode(), dockerfile.span.file)
        except BuildFileError as error:
            self.drop(f"{what} is wrong ({error.message}),", dockerfile.span, hint)
            return False
        if not printed.whole:
            self.drop(f"{what} has what a ZImagefile cannot say,", dockerfile.span, hint)
            return False
        content = {key: value for key, value in yaml.safe_load(printed.text).items() if key != "version"}
        if labels := {**content.get("labels", {}), **image.get("labels", {})}:
            content["labels"] = labels
        image |= content
        return True

    def settings(self, image: Yaml, node: Mapping, tags: Iterable[str], no_cache: str) -> None:
        """Set what both tools have under the same names; `no_cache` is how this one writes that."""
        if unique := list(dict.fromkeys(tags)):
            image["tags"] = unique
        if platforms := [item.text for item in node.scalars("platforms")]:
            image["platforms"] = platforms
        image |= {"target": node.text("target")} if node.text("target") else {}
        image |= {"no_cache": True} if node.flag(no_cache) else {}
        image |= {"pull": "always"} if node.flag("pull") else {}

    def pairs(self, image: Yaml, field: str, found: Yaml | list[str]) -> None:
        """Set a mapping or list of an image, if there is anything in it."""
        if found:
            image[field] = found

    def contexts(self, image: Yaml, node: Node | None, kind: str) -> None:
        """Set the contexts by name; `kind` is what the other file calls an image in them, as in `service:NAME`."""
        found: Yaml = {}
        for name, value in pairs(node):
            text = value.text if value else ""
            scheme, _, rest = text.partition(":")
            if scheme == kind:
                found[name.text] = f"target:{image_name(rest)}"
            elif scheme == "docker-image":
                found[name.text] = text
            elif not text or _REMOTE.match(text):
                self.drop(f"the context '{name.text}', which is neither folder nor image,", name.span)
            else:
                found[name.text] = self.path(text)
        self.pairs(image, "contexts", found)

    def text(self, origin: str) -> str:
        """Return the zbuild.yaml; `origin` is the file it comes from."""
        content: Yaml = {"version": "1"}
        content |= {"vars": _ordered(self.vars)} if self.vars else {}
        content |= {"images": self.images, **({"groups": self.groups} if self.groups else {})}
        dumped = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        return f"# Made from {origin} by 'zbuild import'.\n{dumped}"


class _Dumper(yaml.SafeDumper):
    """Writes what people would: lists of short texts in one line, the same value twice where it is used twice."""

    def ignore_aliases(self, _data: object) -> bool:
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:  # noqa: ANN401, FBT001 - PyYAML's
        plain = all(isinstance(item, str | int | float | bool) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=plain or flow_style)


def _ordered(variables: Yaml) -> Yaml:
    """Return variables in an order in which each comes after those that its default names."""
    ordered: Yaml = {}
    pending = list(variables)
    while pending:
        ready = [name for name in pending if not _named_in(variables[name]) & set(pending) - {name}]
        ordered |= {name: variables[name] for name in ready or pending}  # those that need each other are refused later
        pending = [name for name in pending if name not in ordered]
    return ordered


def _named_in(made: Yaml) -> set[str]:
    return set(_NAME.findall(made.get("default", "")))


def variable(default: str | None, description: str = "") -> Yaml:
    """Return a variable that the environment may set, as the other tools have it; without a default it must."""
    told = {"description": description} if description else {}
    return {**({} if default is None else {"default": default}), "env": True, **told}


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
