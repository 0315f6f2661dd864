"""Named build contexts as they are written: `NAME=VALUE` on the command line, `NAME: VALUE` in a zbuild.yaml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import normalise, short_name
from zbuild.model.contexts import FolderContext, ReferenceContext
from zbuild.model.definition import NestedBuild
from zbuild.model.ops import NOWHERE
from zbuild.model.remote import UrlOrigin
from zbuild.syntax.remote import parse_remote

if TYPE_CHECKING:
    from zbuild.base.span import Span
    from zbuild.model.contexts import NamedContext
    from zbuild.model.remote import GitOrigin

_IMAGE = re.compile("(?:docker-image|container-image|docker)://")  # BuildKit's word, and buildah's two
_TARGET = "target:"
_LAYOUT = re.compile("oci-layout:|oci:|oci-archive:|docker-archive:")
_RESERVED = ("context", "scratch")


class ContextError(ValueError):
    """A named context that cannot be; `code` and `hint` go into the diagnostic."""

    def __init__(self, message: str, hint: str = "", code: str = "bad-context") -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def context_name(text: str) -> str:
    """Return a context's name as names of stages and images are compared with it: `alpine` for `alpine:latest`.

    Raises ContextError for what can name neither.
    """
    if text.lower() in _RESERVED:
        raise ContextError(f"'{text}' means something else already, and cannot name a context")
    try:
        return short_name(text)
    except BadReferenceError as error:
        hint = "write it in lower case" if error.kind == "uppercase" else ""
        raise ContextError(f"'{text}' cannot name a context: it is no stage's or image's name", hint) from None


def parse_context(value: str, span: Span = NOWHERE) -> NamedContext:
    """Return what a context's value means; a folder's path stays as it is written.

    Raises ContextError for one that cannot be, and for kinds that zbuild does not know how to read yet.
    """
    if image := _IMAGE.match(value):
        return ReferenceContext(_reference(value[image.end() :]))
    if value.startswith(_TARGET):
        name, _, stage = value.removeprefix(_TARGET).partition("/")
        if not name:
            raise ContextError(f"'{value}' names no image", "write target:IMAGE or target:IMAGE/STAGE")
        return NestedBuild(image=name, target=stage, span=span)
    if kind := _LAYOUT.match(value):
        hint = "push or load the image, and write docker-image://NAME"
        raise ContextError(f"contexts of the kind '{kind[0]}' are not supported yet", hint, "not-yet")
    if origin := _remote(value):
        return origin
    if not value:
        raise ContextError("the context has no value", "write a folder, docker-image://NAME or target:IMAGE")
    return FolderContext(value)


def _remote(value: str) -> GitOrigin | None:
    """Return the git repository that a value names; None when it lies on this machine."""
    try:
        origin = parse_remote(value)
    except ValueError as error:
        raise ContextError(str(error)) from None
    if isinstance(origin, UrlOrigin):
        hint = "ADD reads URLs; of a git repository the address ends with .git"
        raise ContextError("contexts of URLs are not supported yet", hint, "not-yet")
    return origin


def _reference(text: str) -> str:
    if text == "scratch":
        return text
    try:
        return str(normalise(text))
    except BadReferenceError as error:
        raise ContextError(str(error)) from None
