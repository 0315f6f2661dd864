"""`secrets` and `ssh` of `defaults` and images: where what RUN may mount is found.

These are the only paths of build files that may lie anywhere on the machine: secrets are kept outside of workspaces.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from zbuild.model.secrets import AgentSource, SecretSource
from zbuild.syntax.nodes import Mapping, Scalar, scalars_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.model.secrets import Agents, Secrets
    from zbuild.syntax.nodes import Node

_DEFAULT_AGENT = "default"


def with_secrets(known: Secrets, node: Mapping, diagnostics: Diagnostics) -> Secrets:
    """Return secrets with those that a mapping's `secrets` has on top; what is wrong with one is noted.

    A name without a place is found where it was found before, else in the variable of that name.
    """
    value = node.get("secrets")
    found = dict(known)
    if isinstance(value, Mapping):
        found |= {name.text: _secret(name, place, diagnostics) for name, place in value.items}
    else:
        found = {name.text: SecretSource(env=name.text) for name in scalars_of(value)} | found
    return tuple(sorted(found.items()))


def with_agents(known: Agents, node: Mapping) -> Agents:
    """Return agents with those that a mapping's `ssh` has on top, or none for `ssh: false`.

    A name without a place is SSH_AUTH_SOCK's agent.
    """
    value = node.get("ssh")
    if isinstance(value, Scalar) and value.boolean is False:
        return ()
    return tuple(sorted({**dict(known), **dict(_agents(value))}.items()))


def _secret(name: Scalar, place: Node, diagnostics: Diagnostics) -> SecretSource:
    file = place.scalar("file") if isinstance(place, Mapping) else None
    env = place.scalar("env") if isinstance(place, Mapping) else None
    if isinstance(place, Mapping) and (not place.items or (file and env)):  # of other keys the schema tells
        message = f"the secret '{name.text}' is found in either a 'file' or an 'env'"
        diagnostics.error("bad-secret", message, name.span)
    if env is not None:
        return SecretSource(env=env.text)
    return SecretSource(file=_path(file)) if file else SecretSource(env=name.text)


def _agents(value: Node | None) -> Iterator[tuple[str, AgentSource]]:
    if isinstance(value, Scalar) and value.boolean:
        yield _DEFAULT_AGENT, AgentSource()
    elif isinstance(value, Mapping):
        for name, places in value.items:
            yield name.text, AgentSource(tuple(map(_path, scalars_of(places))))
    else:
        for name in scalars_of(value):
            yield name.text, AgentSource()


def _path(value: Scalar) -> str:
    """Return a path that is absolute, begins with `~`, or is relative to the workspace."""
    if value.text.startswith(("/", "~")):
        return value.text
    return posixpath.join(posixpath.dirname(value.span.file), value.text)
