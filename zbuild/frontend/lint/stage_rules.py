"""Rules about what a build file means: they look at its definition, so they hold for ZImagefiles, too."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from zbuild.base.platform import parse_platform
from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import qualify
from zbuild.base.text import did_you_mean
from zbuild.frontend.lint.scope import AUTOMATIC_ARGS, expanded_words, global_scope, walk
from zbuild.model import ops
from zbuild.model.definition import NamedBase
from zbuild.syntax.remote import is_remote
from zbuild.syntax.words import WordError, expand_with_uses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.frontend.lint.scope import Scope
    from zbuild.frontend.lint.subject import Found, Subject
    from zbuild.model.definition import Stage

_SECRET = re.compile("(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE)
_NO_SECRET = re.compile("(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]")
_TARGET = "TARGETPLATFORM"


def json_args_recommended(subject: Subject) -> Iterator[Found]:
    """Find commands of an image in their shell form, where no SHELL shows that this is meant."""
    for op, scope in _ops(subject):
        if isinstance(op, ops.Cmd | ops.Entrypoint) and isinstance(op.command, ops.ShellForm) and not scope.shell:
            name = type(op).__name__.upper()
            yield op.span, f"write {name} as a list of arguments; behind a shell the command gets no signals"


def undefined_arg_in_from(subject: Subject) -> Iterator[Found]:
    """Find variables in FROM that no ARG above the first FROM declares."""
    for stage, word in _from_words(subject):
        known = {arg.name for arg in subject.definition.args} if subject.definition else set()
        for name in _unset_names(word, subject, known | AUTOMATIC_ARGS):
            what = f"no ARG before the first FROM declares '{name}'"
            yield stage.span, _with_guess(what, name, known | AUTOMATIC_ARGS)


def workdir_relative_path(subject: Subject) -> Iterator[Found]:
    """Find a first WORKDIR that is relative, so that the base image decides where it is."""
    for op, scope in _ops(subject):
        if isinstance(op, ops.Workdir) and not scope.workdir:
            path = scope.text(op.path)
            if path is not None and not _ABSOLUTE.match(path):
                yield op.span, f"the base image decides where '{path}' is; begin with an absolute WORKDIR"


def undefined_var(subject: Subject) -> Iterator[Found]:
    """Find variables that nothing sets before they are used."""
    definition = subject.definition
    elsewhere = {*AUTOMATIC_ARGS, *(arg.name for arg in definition.args)} if definition else set()
    for op, scope in _ops(subject):
        for name in _undefined_names(op, scope):
            if scope.is_undefined(name, elsewhere):
                what = f"nothing sets the variable '{name}' before this"
                where = " (an ARG outside of stages must be repeated inside)" if name in elsewhere else ""
                yield op.span, what + where if where else _with_guess(what, name, scope.values)


def redundant_target_platform(subject: Subject) -> Iterator[Found]:
    """Find `FROM --platform=$TARGETPLATFORM`, which is what FROM does anyway."""
    for stage in subject.stages:
        if "$" not in stage.platform:
            continue
        try:
            uses = expand_with_uses(stage.platform, {_TARGET: "the platform"}, escape=_escape(subject))
        except WordError:
            continue
        if uses.matched and not uses.unmatched and uses.text == "the platform":
            yield stage.span, f"--platform={stage.platform} says what is done without it"


def secrets_used_in_arg_or_env(subject: Subject) -> Iterator[Found]:
    """Find ARGs and ENVs that by their names hold a secret: anybody can read it in the image."""
    for op, scope in _ops(subject):
        match op:
            case ops.Arg(name):
                names = [name]
            case ops.Env(pairs):
                names = [scope.text(name) or "" for name, _ in pairs]
            case _:
                continue
        for name in names:
            if _SECRET.search(name) and not _NO_SECRET.search(name):
                yield op.span, f"'{name}' can be read in the image; give secrets to RUN --mount=type=secret"


def invalid_default_arg_in_from(subject: Subject) -> Iterator[Found]:
    """Find bases that are no image reference when no build argument is given."""
    if subject.definition is None:
        return
    scope = global_scope(subject.definition)
    for stage in subject.stages:
        if isinstance(stage.base, NamedBase) and (uses := scope.uses(stage.base.text)):
            try:
                qualify(uses.text)
            except BadReferenceError:
                yield stage.span, f"without build arguments, the base '{stage.base.text}' is no image reference"


def from_platform_flag_const_disallowed(subject: Subject) -> Iterator[Found]:
    """Find `FROM --platform=linux/amd64` in a stage whose name does not say so; ZImagefiles are meant to have it."""
    for stage in subject.stages if subject.statements else ():
        if "$" in stage.platform or not stage.platform:
            continue
        try:
            platform = parse_platform(stage.platform)
        except ValueError:
            continue
        if platform.os not in stage.name and platform.architecture not in stage.name:
            yield stage.span, f"the stage is always for {stage.platform}, whatever platform is asked for"


def copy_ignored_file(subject: Subject) -> Iterator[Found]:
    """Find COPY and ADD of files that the context's ignore file leaves out."""
    for op, scope in _ops(subject):
        if isinstance(op, ops.Copy) and not op.source:
            for source in op.sources:
                path = scope.text(source)
                if path and not is_remote(path) and subject.ignored(posixpath.normpath(path)):
                    name = "ADD" if op.extract else "COPY"
                    yield op.span, f"{name} wants '{path}', which the ignore file leaves out of the context"


def expose_proto_casing(subject: Subject) -> Iterator[Found]:
    """Find protocols with capital letters."""
    for op, port in _ports(subject):
        protocol = port.partition("/")[2]
        if protocol != protocol.lower():
            yield op.span, f"the protocol of '{port}' should be in lower case"


def expose_invalid_format(subject: Subject) -> Iterator[Found]:
    """Find addresses and host ports, which only matter where a container is started."""
    for op, port in _ports(subject):
        if ":" in port:
            yield op.span, f"EXPOSE takes a port and a protocol; '{port}' also says where to publish it"


def _ops(subject: Subject) -> Iterator[tuple[ops.Op, Scope]]:
    return walk(subject.definition) if subject.definition else iter(())


def _ports(subject: Subject) -> Iterator[tuple[ops.Expose, str]]:
    """Yield the ports whose text is known."""
    for op, scope in _ops(subject):
        if isinstance(op, ops.Expose):
            yield from ((op, port) for word in op.ports if (port := scope.text(word)))


def _from_words(subject: Subject) -> Iterator[tuple[Stage, str]]:
    """Yield the words of each FROM that have variables."""
    for stage in subject.stages:
        words = (stage.base.text if isinstance(stage.base, NamedBase) else "", stage.platform)
        yield from ((stage, word) for word in words if "$" in word)


def _unset_names(word: str, subject: Subject, known: set[str] | frozenset[str]) -> list[str]:
    try:
        uses = expand_with_uses(word, dict.fromkeys(known, ""), escape=_escape(subject))
    except WordError:
        return []
    return sorted(uses.unmatched)


def _undefined_names(op: ops.Op, scope: Scope) -> list[str]:
    uses = [scope.uses(word) for word in expanded_words(op) if "$" in word]
    if isinstance(op, ops.Copy):
        uses += [scope.heredoc_uses(file.content) for file in op.inline if file.expand and "$" in file.content]
    return sorted({name for use in uses if use for name in use.unmatched})


def _with_guess(message: str, name: str, known: set[str] | dict[str, str]) -> str:
    guess = did_you_mean(name, sorted(known))
    return f"{message}; {guess}" if guess else message


def _escape(subject: Subject) -> str:
    return subject.definition.escape if subject.definition else "\\"
