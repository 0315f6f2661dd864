"""The `build:` sections of a Compose file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.frontend.imports.emit import image_name, pairs
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from zbuild.frontend.imports.emit import Imported, Yaml
    from zbuild.syntax.nodes import Node

_KNOWN = frozenset(
    {
        "context",
        "dockerfile",
        "args",
        "labels",
        "tags",
        "target",
        "platforms",
        "pull",
        "no_cache",
        "additional_contexts",
    }
)
_VARIABLE = re.compile(r"\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?+])([^{}$]*))?\})", re.ASCII)


def import_compose(root: Mapping, imported: Imported) -> None:
    """Take over every service that is built; what has no place in a zbuild.yaml is noted."""
    services = root.mapping("services")
    for name, service in services.items:
        if isinstance(service, Mapping) and "extends" in service:
            imported.drop(f"what '{name.text}' extends", service.place("extends"))
        if isinstance(service, Mapping) and service.get("build") is not None:
            _service(name, service, imported)


def _service(name: Scalar, service: Mapping, imported: Imported) -> None:
    value = _interpolated(service.get("build") or Mapping(), imported)
    build = value if isinstance(value, Mapping) else Mapping()
    image: Yaml = {}
    context = value if isinstance(value, Scalar) else build.scalar("context")
    for key, _ in build.items:
        if key.text not in _KNOWN:
            imported.drop(f"'{key.text}' of service '{name.text}'", key.span)
    if not imported.place(image, context, build.scalar("dockerfile")):
        return
    named = _interpolated(service.get("image") or Mapping(), imported)
    tags = [named.text] if isinstance(named, Scalar) else []
    if tags := [*tags, *(tag.text for tag in build.scalars("tags"))]:
        image["tags"] = tags
    _set_pairs(image, "build_args", build.get("args"), imported)
    _set_pairs(image, "labels", build.get("labels"), imported)
    platform = service.scalar("platform")
    if platforms := [item.text for item in build.scalars("platforms")] or ([platform.text] if platform else []):
        image["platforms"] = platforms
    image |= {"target": build.text("target")} if build.text("target") else {}
    image |= {"no_cache": True} if build.flag("no_cache") else {}
    image |= {"pull": "newer"} if build.flag("pull") else {}
    _contexts(image, build, imported)
    imported.images[image_name(name.text)] = image


def _set_pairs(image: Yaml, field: str, node: Node | None, imported: Imported) -> None:
    found = {}
    for name, value in pairs(node):
        if value is None:
            hint = f"give it with --build-arg {name.text}"
            imported.drop(f"'{name.text}', which has no value here,", name.span, hint)
        else:
            found[name.text] = value.text
    if found:
        image[field] = found


def _contexts(image: Yaml, build: Mapping, imported: Imported) -> None:
    """Order a service after the contexts that are services; how its build file names them is not changed."""
    for name, value in pairs(build.get("additional_contexts")):
        kind, _, other = (value.text if value else "").partition(":")
        if kind == "service":
            image.setdefault("depends_on", []).append(image_name(other))
            hint = f"in the build file name a tag of '{image_name(other)}' instead of '{name.text}'"
            imported.drop(f"the context '{name.text}', but for its order,", name.span, hint)
        else:
            imported.drop(f"the context '{name.text}'", name.span)


def _interpolated(node: Node, imported: Imported) -> Node:
    """Turn Compose's variables into those of a zbuild.yaml, with their defaults under `vars`."""
    match node:
        case Scalar():
            text = _VARIABLE.sub(lambda match: _variable(match, node, imported), node.text)
            return Scalar(text, node.plain, node.span)
        case Sequence():
            return Sequence(tuple(_interpolated(item, imported) for item in node.items), node.span)
    return Mapping(tuple((key, _interpolated(value, imported)) for key, value in node.items), node.span)


def _variable(match: re.Match[str], node: Scalar, imported: Imported) -> str:
    escaped, bare, braced, operator, operand = match.groups()
    if escaped:
        return "$$" if match.string[match.end() : match.end() + 1] == "{" else "$"
    name = bare or braced
    default = operand or "" if operator in ("-", ":-") else ""
    if operator in ("+", ":+"):
        imported.drop(f"'{match[0]}'", node.span, "write what is meant")
    if name not in imported.vars or default:
        imported.vars[name] = default
    return f"${{{name}}}"
