"""The names images get in a local store."""

from __future__ import annotations

from zbuild.base.reference import parse_reference


def local_name(tag: str) -> str:
    """Return a tag in full as local stores keep it: `localhost/` where it names no registry, `:latest` where no tag.

    Raises ReferenceError for what is no image reference.
    """
    reference = parse_reference(tag)
    first, slash, _ = tag.partition("/")
    registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    text = tag if registry else f"localhost/{tag}"
    return text if reference.tag or reference.digest else f"{text}:latest"
