"""docker-bake.json, and the JSON form of docker-bake.hcl: targets, groups and variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.frontend.imports.emit import image_name, merged, pairs, variable
from zbuild.frontend.imports.matrix import set_matrix
from zbuild.frontend.imports.overlay import overlay_target
from zbuild.frontend.imports.secrets import set_bake_secrets
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Collection

    from zbuild.frontend.imports.emit import Imported, Yaml
    from zbuild.syntax.nodes import Node

_KNOWN = frozenset(
    {"inherits", "context", "contexts", "dockerfile", "dockerfile-inline", "args", "labels", "tags", "target"}
    | {"platforms", "pull", "no-cache", "annotations", "description", "matrix", "name", "secret", "ssh"}
)
_HINTS = {
    "output": "zbuild keeps images in the local store, under their tags",
    "cache-from": "zbuild finds earlier results by its own records",
    "cache-to": "zbuild keeps its own records",
}
_EXPRESSION = re.compile(r"\$\{(?![A-Za-z_][A-Za-z0-9_]*\})[^}]*\}|%\{")
_NAME = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_DEEPEST = 50


def import_bake(root: Mapping, imported: Imported) -> None:
    """Take over the targets of a bake file; what has no place in a zbuild.yaml is noted."""
    for key, value in merged(root.get("variable")).items:
        _variable(key, merged(value), imported)
    targets = merged(root.get("target"))
    groups = [(key.text, merged(value).scalars("targets")) for key, value in merged(root.get("group")).items]
    wanted = {item.text for _, items in groups for item in items} | _contexts(targets)
    for key, _ in targets.items:
        if not key.text.startswith("_") or key.text in wanted:
            _target(key, _resolved(key.text, targets, 0), imported)
    names = {name for name, _ in groups}
    for name, items in sorted(groups, key=lambda group: any(item.text in names for item in group[1])):
        _group(name, items, imported)
    for key, _ in root.items:
        if key.text not in ("variable", "target", "group"):
            imported.drop(f"'{key.text}'", key.span)


def _variable(key: Scalar, value: Mapping, imported: Imported) -> None:
    """Take over a variable: the environment may set it, as with bake."""
    default = value.get("default")
    text: str | None = default.text if isinstance(default, Scalar) and not default.is_null else ""
    if default is not None and not isinstance(default, Scalar):
        imported.drop(f"the variable '{key.text}', whose default is no text,", key.span)
        return
    _undeclared(Scalar(text or ""), (), imported)
    if default is not None and _EXPRESSION.search(default.text):
        hint = f"--set {key.text}=VALUE, or the environment, must give it"
        imported.drop(f"the default of the variable '{key.text}', which is computed,", default.span, hint)
        text = None
    if "validation" in value:
        imported.drop(f"'validation' of the variable '{key.text}'", value.place("validation"), "see 'pattern', 'min' …")
    imported.vars[key.text] = variable(text, value.text("description"))


def _group(name: str, items: tuple[Scalar, ...], imported: Imported) -> None:
    if image_name(name) in imported.images:
        imported.drop(f"the group '{name}', which is called as a target is,", items[0].span if items else None)
        return
    there = [item.text for item in items if image_name(item.text) in (*imported.images, *imported.groups)]
    imported.groups[image_name(name)] = [image_name(text) for text in there]


def _contexts(targets: Mapping) -> set[str]:
    """Return the targets that others have for a context."""
    nodes = (merged(target).get("contexts") for _, target in targets.items)
    texts = (value.text for node in nodes for _, value in pairs(node) if value is not None)
    return {text.removeprefix("target:") for text in texts if text.startswith("target:")}


def _undeclared(node: Node, own: Collection[str], imported: Imported) -> None:
    """Give variables that are used but not declared, and so come from the environment, an empty default."""
    match node:
        case Scalar():
            for name in _NAME.findall(node.text):
                if name not in own:
                    imported.vars.setdefault(name, variable(""))
        case Sequence():
            for item in node.items:
                _undeclared(item, own, imported)
        case Mapping():
            for _, value in node.items:
                _undeclared(value, own, imported)


def _resolved(name: str, targets: Mapping, depth: int) -> Mapping:
    """Return a target with what it inherits: of several the later ones win, and its own keys over all."""
    own = merged(targets.get(name))
    if depth > _DEEPEST:  # they inherit each other
        return own
    whole = Mapping()
    for parent in own.scalars("inherits"):
        whole = overlay_target(whole, _resolved(parent.text, targets, depth + 1))
    return overlay_target(whole, own)


def _target(key: Scalar, target: Mapping, imported: Imported) -> None:
    image: Yaml = {}
    own, target = set_matrix(image, key, target, imported)
    if not _can_be_said(key, target, imported):
        return
    _undeclared(target, own, imported)
    inline = target.scalar("dockerfile-inline")
    if not imported.place(image, target.scalar("context"), None if inline else target.scalar("dockerfile")):
        return
    for field in ("args", "labels", "annotations"):
        # Bake takes null for "not set": an ARG then has its own default.
        found = {name.text: value.text for name, value in pairs(target.get(field)) if value is not None}
        imported.pairs(image, "build_args" if field == "args" else field, found)
    imported.settings(image, target, [item.text for item in target.scalars("tags")], "no-cache")
    imported.contexts(image, target.get("contexts"), "target")
    set_bake_secrets(image, target, imported)
    if inline is None or imported.inline(image, inline, f"the target '{key.text}', whose 'dockerfile-inline'"):
        imported.images[image_name(key.text)] = image


def _can_be_said(key: Scalar, target: Mapping, imported: Imported) -> bool:
    """Note what of a target cannot; False when it is none without that."""
    for name, value in target.items:
        if name.text not in _KNOWN:
            imported.drop(f"'{name.text}' of target '{key.text}'", name.span, _HINTS.get(name.text, ""))
        elif name.text != "matrix" and _computed(value):
            imported.drop(f"the target '{key.text}', whose '{name.text}' is computed,", name.span)
            return False
    return True


def _computed(node: Node) -> bool:
    match node:
        case Scalar():
            return _EXPRESSION.search(node.text) is not None
        case Sequence():
            return any(map(_computed, node.items))
    return any(_computed(value) for _, value in node.items)
