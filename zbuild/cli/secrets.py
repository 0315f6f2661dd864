"""`--secret` and `--ssh`, as docker has them."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING

import click

from zbuild.backend.secrets import missing_agent, missing_secret
from zbuild.base.text import did_you_mean
from zbuild.model.secrets import AgentSource, SecretSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zbuild.model.secrets import Agents, Secrets

_KEYS = {"id": "id", "src": "src", "source": "src", "env": "env", "type": "type"}
_FORM = "write id=NAME, with src=FILE or env=VARIABLE"


def given_secrets(context: click.Context, _param: click.Parameter, values: Sequence[str]) -> Secrets:
    """Return the secrets of the command line; each must be there. What is given is never shown: it may be a value."""
    found = {}
    for value in values:
        name, source = _secret(value, _start(context))
        if reason := missing_secret(source):
            raise click.BadParameter(f"the secret '{name}' is not there: {reason}")
        found[name] = source
    return tuple(found.items())


def given_agents(context: click.Context, _param: click.Parameter, values: Sequence[str]) -> Agents:
    """Return the ssh agents of the command line; each must be there."""
    found = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not name or (equals and not text):
            raise click.BadParameter("write default, or ID=SOCKET, or ID=KEYFILE")
        paths = tuple(_path(_start(context), path) for path in text.split(",")) if text else ()
        if reason := missing_agent(AgentSource(paths)):
            raise click.BadParameter(f"the ssh agent '{name}' is not there: {reason}")
        found[name] = AgentSource(paths)
    return tuple(found.items())


def _start(context: click.Context) -> Path:
    """Return the folder that zbuild starts in: paths are relative to it."""
    start: Path = context.obj.directory / (context.params.get("directory") or "")
    return start


def _secret(value: str, start: Path) -> tuple[str, SecretSource]:
    given = _options(value)
    name, src, env, kind = (given.get(key, "") for key in ("id", "src", "env", "type"))
    if not name:
        raise click.BadParameter(f"a secret needs a name; {_FORM}")
    if kind not in ("", "file", "env"):
        raise click.BadParameter(f"the type of the secret '{name}' is file or env")
    if kind == "env" and not env:
        src, env = "", src
    if src and env:
        raise click.BadParameter(f"the secret '{name}' has both src and env")
    if env or (not src and (kind == "env" or name in os.environ)):
        return name, SecretSource(env=env or name)
    return name, SecretSource(file=_path(start, src or name))


def _options(value: str) -> dict[str, str]:
    given = {}
    for item in next(csv.reader([value]), []):
        key, equals, text = item.partition("=")
        name = _KEYS.get(key.strip().lower())
        if not equals or name is None:
            hint = did_you_mean(key, _KEYS) if equals else ""
            raise click.BadParameter(f"it is no secret's place; {hint or _FORM}")
        given[name] = text
    return given


def _path(start: Path, path: str) -> str:
    return os.path.abspath(start / os.path.expanduser(path))  # noqa: PTH100, PTH111 - resolve() would follow links
