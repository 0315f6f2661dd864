"""The names images get in a local store, and those of the stages' logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.digest import xxh
from zbuild.base.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_LOG = 200  # bytes of a file's name, of which file systems allow 255


def local_name(tag: str) -> str:
    """Return a tag in full as local stores keep it: `localhost/` where it names no registry, `:latest` where no tag.

    Raises ReferenceError for what is no image reference.
    """
    reference = parse_reference(tag)
    first, slash, _ = tag.partition("/")
    registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    text = tag if registry else f"localhost/{tag}"
    return text if reference.tag or reference.digest else f"{text}:latest"


def log_names(stages: Iterable[str]) -> dict[str, str]:
    """Return a file name for the log of each stage, no two alike: `api.build.log` for `api/build`."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for stage in stages:
        readable = stage.replace("/", ".")
        if readable in taken or len(readable.encode("utf-8", "surrogateescape")) > _LONGEST_LOG:
            readable = f"{readable[: _LONGEST_LOG // 4]}-{xxh(stage)}"
        taken.add(readable)
        names[stage] = f"{readable}.log"
    return names
