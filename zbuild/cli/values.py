"""What users write after options, read and checked: click's callbacks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.base.platform import Platform
    from zbuild.model.secrets import Agents, Secrets
    from zbuild.syntax.outputs import Output


PULL_POLICIES = ("newer", "always", "missing", "never")


def with_bare_options(args: Sequence[str]) -> list[str]:
    """Give --pull and --no-cache alone a value, for which click would take the argument that follows: a target."""
    words = list(args)
    end = words.index("--") if "--" in words else len(words)
    for index, word in enumerate(words[:end]):
        if word == "--no-cache":
            words[index] = "--no-cache=*"
        elif word == "--pull" and not set(PULL_POLICIES).intersection(words[index + 1 : index + 2]):
            words[index] = "--pull=always"
    return words


def pairs(_context: click.Context, _param: click.Parameter, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Take NAME=VALUE."""
    given = [_split(value) for value in values]
    for name, text in given:
        if text is None:
            raise click.BadParameter(f"'{name}' has no value; write {name}=VALUE")
    return tuple((name, text) for name, text in given if text is not None)


def profiles(_context: click.Context, _param: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Take what is named, or else what the environment names, with commas between."""
    named = values or os.environ.get("ZBUILD_PROFILE", "").split(",")
    return tuple(dict.fromkeys(name.strip() for name in named if name.strip()))


def pairs_or_environment(
    _context: click.Context, _param: click.Parameter, values: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Take a bare NAME from the environment; as with docker, one that is not set there is not given at all."""
    given = [(name, os.environ.get(name) if text is None else text) for name, text in map(_split, values)]
    return tuple((name, text) for name, text in given if text is not None)


def contexts(context: click.Context, _param: click.Parameter, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Take the folders of named contexts from the folder that zbuild starts in."""
    if not values:
        return ()
    from zbuild.frontend.contexts import ContextError, context_name, parse_context  # noqa: PLC0415 - rarely given
    from zbuild.model.contexts import FolderContext  # noqa: PLC0415 - likewise

    start = context.obj.directory / (context.params.get("directory") or "")
    found = []
    for name, text in pairs(context, _param, values):
        try:
            context_name(name)
            folder = isinstance(parse_context(text), FolderContext)
        except ContextError as error:
            hint = f"; {error.hint}" if error.hint else ""
            raise click.BadParameter(f"{error}{hint}") from None
        path = os.path.abspath(start / text)  # noqa: PTH100 - resolve() would follow links
        if folder and not os.path.isdir(path):  # noqa: PTH112 - never raises
            raise click.BadParameter(f"there is no folder '{text}'")
        found.append((name, path if folder else text))
    return tuple(found)


def secrets(context: click.Context, param: click.Parameter, values: Sequence[str]) -> Secrets:
    """Read the secrets' places, of which each must be there."""
    if not values:
        return ()
    from zbuild.cli.secrets import given_secrets  # noqa: PLC0415 - rarely given

    return given_secrets(context, param, values)


def agents(context: click.Context, param: click.Parameter, values: Sequence[str]) -> Agents:
    """Read the agents' places, of which each must be there."""
    if not values:
        return ()
    from zbuild.cli.secrets import given_agents  # noqa: PLC0415 - likewise

    return given_agents(context, param, values)


def layers(_context: click.Context, _param: click.Parameter, value: bool | None) -> str | None:  # noqa: FBT001 - click's
    """Return what --layers and --no-layers ask for; None when neither is given."""
    return {True: "all", False: "none"}.get(value) if value is not None else None


def folder(context: click.Context, _param: click.Parameter, value: str) -> str:
    """Take a folder that may have to be made from the folder that zbuild starts in."""
    start = context.obj.directory / (context.params.get("directory") or "")
    return os.path.abspath(start / value) if value else ""  # noqa: PTH100 - resolve() would follow links


def cache_places(context: click.Context, _param: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Read places of remote caches; folders are taken from the folder that zbuild starts in."""
    if not values:
        return ()
    from zbuild.syntax.cache_places import parse_cache_place  # noqa: PLC0415 - rarely given

    start = context.obj.directory / (context.params.get("directory") or "")
    try:
        places = [(value, parse_cache_place(value, str(start.absolute()))) for value in values]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return tuple(place.path if place.kind == "folder" else value for value, place in places)


def age(_context: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Take how long ago something was, in seconds."""
    from zbuild.base.duration import parse_age  # noqa: PLC0415 - likewise

    try:
        return None if value is None else parse_age(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def platforms(_context: click.Context, _param: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Take platforms with commas between, each as OCI names it."""
    if not values:
        return ()
    from zbuild.base.platform import parse_platform  # noqa: PLC0415 - rarely given

    try:
        return tuple(dict.fromkeys(str(parse_platform(text)) for value in values for text in value.split(",")))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def labels(_context: click.Context, _param: click.Parameter, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Take NAME=VALUE, and a bare NAME for one without a value, as docker does."""
    return tuple((name, text or "") for name, text in map(_split, values))


def outputs(context: click.Context, _param: click.Parameter, values: Sequence[str]) -> tuple[Output, ...]:
    """Read where images are to be written; paths are taken from the folder that zbuild starts in."""
    if not values:
        return ()
    from dataclasses import replace  # noqa: PLC0415 - rarely given

    from zbuild.syntax.outputs import parse_output  # noqa: PLC0415 - likewise

    start = context.obj.directory / (context.params.get("directory") or "")
    try:
        found = [parse_output(value) for value in values]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return tuple(replace(one, dest=os.path.abspath(start / one.dest)) if one.dest else one for one in found)  # noqa: PTH100 - as above


def platform(_context: click.Context, _param: click.Parameter, value: str | None) -> Platform | None:
    """Take one platform."""
    if value is None:
        return None
    from zbuild.base.platform import parse_platform  # noqa: PLC0415 - likewise

    try:
        return parse_platform(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def image_name(context: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse what cannot name an image."""
    return None if value is None else image_names(context, param, [value])[0]


def image_names(_context: click.Context, _param: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Refuse what cannot name an image, before anything is built."""
    from zbuild.base.reference import ReferenceError as BadReferenceError  # noqa: PLC0415 - only for --tag
    from zbuild.base.reference import parse_reference  # noqa: PLC0415

    for value in values:
        try:
            reference = parse_reference(value)
        except BadReferenceError as error:
            raise click.BadParameter(str(error)) from None
        if reference.digest:
            raise click.BadParameter(f"'{value}' has a digest, which only the finished image gives; write NAME:TAG")
    return tuple(values)


def _split(value: str) -> tuple[str, str | None]:
    name, equals, text = value.partition("=")
    if not name:
        raise click.BadParameter(f"'{value}' has no name; write NAME=VALUE")
    return name, text if equals else None
