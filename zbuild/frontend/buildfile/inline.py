"""Which keys of an image define it in place, and which stand beside a build file."""

from __future__ import annotations

from functools import cache

from zbuild.syntax.schema import read_schema


@cache
def inline_keys() -> frozenset[str]:
    """Return the keys that define an image inline: a ZImagefile's, but for those that images have anyway."""
    return frozenset(read_schema("zimagefile")["properties"]) - {"version", "os", "labels"}
