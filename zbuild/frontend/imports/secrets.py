"""Secrets and ssh agents of bake and Compose files, as those of an image of a zbuild.yaml."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from zbuild.frontend.imports.emit import pairs
from zbuild.frontend.imports.variables import interpolated
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.frontend.imports.emit import Imported, Yaml
    from zbuild.syntax.nodes import Node

_ALIASES = {"source": "src"}


def set_bake_secrets(image: Yaml, target: Mapping, imported: Imported) -> None:
    """Take over a target's `secret` and `ssh`, each a text like `id=NAME,src=FILE`, or a mapping."""
    secrets: Yaml = {}
    for item in _items(target.get("secret")):
        given = _options(item)
        if not (name := given.get("id", "")):
            imported.drop("a secret without 'id'", item.span)
        else:
            secrets[name] = _place(name, given, imported)
    imported.pairs(image, "secrets", secrets)
    _set_agents(image, _agents(target.get("ssh")), imported)


def set_compose_secrets(image: Yaml, build: Mapping, declared: Mapping, imported: Imported) -> None:
    """Take over the `secrets` and `ssh` of a `build:` section; `declared` are the secrets of the whole file."""
    secrets: Yaml = {}
    for item in _items(build.get("secrets")):
        source = item if isinstance(item, Scalar) else item.scalar("source")
        name = source if isinstance(item, Scalar) else item.scalar("target") or source
        found = declared.mapping(source.text) if source else Mapping()
        given = {"src": _text(found.get("file"), imported), "env": _text(found.get("environment"), imported)}
        if name is None or not any(given.values()):
            shown = name.text if name else ""
            imported.drop(f"the secret '{shown}', which is neither a file nor a variable,", item.span)
        else:
            secrets[name.text] = _place(name.text, given, imported)
    imported.pairs(image, "secrets", secrets)
    agents = ((key, [] if place is None else [place.text]) for key, place in pairs(build.get("ssh")))
    _set_agents(image, agents, imported)


def _text(node: Node | None, imported: Imported) -> str:
    value = interpolated(node or Mapping(), imported)
    return value.text if isinstance(value, Scalar) else ""


def _items(node: Node | None) -> tuple[Scalar | Mapping, ...]:
    items = node.items if isinstance(node, Sequence) else (node,)
    return tuple(item for item in items if isinstance(item, Scalar | Mapping))


def _options(item: Scalar | Mapping) -> dict[str, str]:
    """Return the options of a secret, by the short names of their keys."""
    if isinstance(item, Mapping):
        found = [(key.text, value.text) for key, value in item.items if isinstance(value, Scalar)]
    else:
        found = [
            (key.strip().lower(), value)
            for key, _, value in (part.partition("=") for part in next(csv.reader([item.text]), []))
        ]
    return {_ALIASES.get(key, key): value for key, value in found}


def _place(name: str, given: dict[str, str], imported: Imported) -> Yaml:
    """Return where a secret is found: without a place in the variable of its name, as zbuild has it."""
    file, env = given.get("src", ""), given.get("env", "")
    if given.get("type") == "env" and not env:
        file, env = "", file
    return {"file": _path(file, imported)} if file and not env else {"env": env or name}


def _agents(node: Node | None) -> Iterator[tuple[Scalar, list[str]]]:
    for item in _items(node):
        if isinstance(item, Mapping):
            yield item.scalar("id") or Scalar("default", span=item.span), [path.text for path in item.scalars("paths")]
        else:
            name, _, paths = item.text.partition("=")
            yield Scalar(name, span=item.span), [path for path in paths.split(",") if path]


def _set_agents(image: Yaml, agents: Iterator[tuple[Scalar, list[str]]], imported: Imported) -> None:
    """Set an image's `ssh`: names alone, or all with their places."""
    found = list(agents)
    placed = {name.text: [_path(path, imported) for path in paths] for name, paths in found if paths}
    bare = [name for name, paths in found if not paths]
    if not placed:
        imported.pairs(image, "ssh", [name.text for name in bare])
        return
    for name in bare:
        imported.drop(f"the ssh agent '{name.text}', beside others that have a place,", name.span, f"--ssh {name.text}")
    image["ssh"] = placed


def _path(path: str, imported: Imported) -> str:
    return path if path.startswith(("/", "~", "$")) else imported.path(path)
