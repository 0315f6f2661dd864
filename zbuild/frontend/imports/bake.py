"""docker-bake.json, and the JSON form of docker-bake.hcl: targets, groups and variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.frontend.imports.emit import image_name, merged, pairs
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from zbuild.frontend.imports.emit import Imported, Yaml
    from zbuild.syntax.nodes import Node

_KNOWN = frozenset(
    {"inherits", "context", "contexts", "dockerfile", "args", "labels", "tags", "target", "platforms", "pull"}
    | {"no-cache", "annotations", "description", "name"}
)
_ADDED = ("args", "labels", "contexts")  # inherited ones are added to, not replaced
_EXPRESSION = re.compile(r"\$\{(?![A-Za-z_][A-Za-z0-9_]*\})[^}]*\}|%\{")
_NAME = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_DEEPEST = 50


def import_bake(root: Mapping, imported: Imported) -> None:
    """Take over the targets of a bake file; what has no place in a zbuild.yaml is noted."""
    for key, value in merged(root.get("variable")).items:
        _variable(key, merged(value), imported)
    targets = merged(root.get("target"))
    for key, _ in targets.items:
        target = _resolved(key.text, targets, 0)
        if not key.text.startswith("_"):
            _target(key, target, imported)
    _undeclared(targets, imported)
    for key, value in merged(root.get("group")).items:
        imported.groups[image_name(key.text)] = [image_name(item.text) for item in merged(value).scalars("targets")]
    for key, _ in root.items:
        if key.text not in ("variable", "target", "group"):
            imported.drop(f"'{key.text}'", key.span)


def _variable(key: Scalar, value: Mapping, imported: Imported) -> None:
    default = value.get("default")
    if default is not None and not isinstance(default, Scalar):
        imported.drop(f"the variable '{key.text}', whose default is no text,", key.span)
    elif default is not None and _EXPRESSION.search(default.text):
        imported.drop(f"the variable '{key.text}', whose default is computed,", default.span)
        imported.vars[key.text] = ""
    else:
        imported.vars[key.text] = value.text("default")


def _undeclared(node: Node, imported: Imported) -> None:
    """Give variables that are used but not declared, and so come from the environment, an empty value."""
    match node:
        case Scalar():
            for name in _NAME.findall(node.text):
                imported.vars.setdefault(name, "")
        case Sequence():
            for item in node.items:
                _undeclared(item, imported)
        case Mapping():
            for _, value in node.items:
                _undeclared(value, imported)


def _resolved(name: str, targets: Mapping, depth: int) -> Mapping:
    """Return a target with what it inherits: of several the later ones win, and its own keys over all."""
    own = merged(targets.get(name))
    if depth > _DEEPEST:  # they inherit each other
        return own
    items: dict[str, tuple[Scalar, Node]] = {}
    for part in (*(_resolved(parent.text, targets, depth + 1) for parent in own.scalars("inherits")), own):
        for key, value in part.items:
            known = items.get(key.text)
            joined = merged(Sequence((known[1], value))) if known and key.text in _ADDED else value
            items[key.text] = (key, joined)
    return Mapping(tuple(items.values()), own.span)


def _target(key: Scalar, target: Mapping, imported: Imported) -> None:
    image: Yaml = {}
    for name, value in target.items:
        if name.text not in _KNOWN:
            imported.drop(f"'{name.text}' of target '{key.text}'", name.span)
        elif _computed(value):
            imported.drop(f"'{name.text}' of target '{key.text}', which is computed,", name.span)
            return
    if not imported.place(image, target.scalar("context"), target.scalar("dockerfile")):
        return
    for field in ("tags", "platforms"):
        if texts := [item.text for item in target.scalars(field)]:
            image[field] = texts
    _set_pairs(image, "build_args", target.get("args"), key, imported)
    _set_pairs(image, "labels", target.get("labels"), key, imported)
    _set_pairs(image, "annotations", target.get("annotations"), key, imported)
    if target.text("target"):
        image["target"] = target.text("target")
    image |= {"no_cache": True} if target.flag("no-cache") else {}
    image |= {"pull": "newer"} if target.flag("pull") else {}
    _contexts(image, target, imported)
    imported.images[image_name(key.text)] = image


def _set_pairs(image: Yaml, field: str, node: Node | None, key: Scalar, imported: Imported) -> None:
    found = {}
    for name, value in pairs(node):
        if value is None:
            hint = f"give it with --build-arg {name.text}" if field == "build_args" else ""
            imported.drop(f"'{name.text}' of '{key.text}', which has no value here,", name.span, hint)
        else:
            found[name.text] = value.text
    if found:
        image[field] = found


def _contexts(image: Yaml, target: Mapping, imported: Imported) -> None:
    """Order targets after the contexts that are targets; by which name its files are found is up to the build file."""
    for name, value in pairs(target.get("contexts")):
        kind, _, other = (value.text if value else "").partition(":")
        if kind == "target":
            image.setdefault("depends_on", []).append(image_name(other))
            hint = f"in the build file name a tag of '{image_name(other)}' instead of '{name.text}'"
            imported.drop(f"the context '{name.text}', but for its order,", name.span, hint)
        else:
            imported.drop(f"the context '{name.text}'", name.span)


def _computed(node: Node) -> bool:
    match node:
        case Scalar():
            return _EXPRESSION.search(node.text) is not None
        case Sequence():
            return any(map(_computed, node.items))
    return any(_computed(value) for _, value in node.items)
