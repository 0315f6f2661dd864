"""What an image may be called in a local store, given how a build file calls it."""

from __future__ import annotations

from zbuild.base import reference as references
from zbuild.base.errors import RegistryError

LOCAL = "localhost/"
"""What the names of images begin with that are in the store alone: no registry is meant."""


def full_name(reference: str) -> str:
    """Return a reference as its registry knows it. Raises RegistryError for what is none."""
    try:
        return str(references.normalise(reference))
    except references.ReferenceError as error:
        raise RegistryError("bad-reference", str(error)) from None


def image_id_of(reference: str) -> str:
    """Return the id when a reference is one (64 hex digits, maybe after `sha256:`), else ""."""
    try:
        parsed = references.parse_any(reference)
    except references.ReferenceError as error:
        raise RegistryError("bad-reference", str(error)) from None
    return "" if parsed.path else parsed.digest.removeprefix("sha256:")


def is_local(reference: str) -> bool:
    """Tell whether no registry is meant: by an id, or a name below `localhost/`. Raises RegistryError."""
    return bool(image_id_of(reference)) or full_name(reference).startswith(LOCAL)


def local_names(reference: str) -> tuple[str, ...]:
    """Return the names to look for, the likeliest first: in full, and for a short name the one local builds get."""
    full = full_name(reference)
    first, slash, _ = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return (full,)
    return (full, full_name(LOCAL + reference))
