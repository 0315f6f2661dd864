"""Ways into a schema: what may stand under a key, without a value at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zbuild.base.dataclass import dataclass
from zbuild.syntax.schema import read_schema

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, eq=False)
class SchemaPart:
    """A part of the schema `name`."""

    name: str
    rules: dict[str, Any]

    @classmethod
    def root(cls, name: str) -> SchemaPart:
        """Return the whole schema of that name."""
        return cls(name, read_schema(name))

    @property
    def known(self) -> tuple[str, ...]:
        """The keys that have a meaning of their own there."""
        return tuple(self.rules.get("properties", ()))

    @property
    def types(self) -> frozenset[str]:
        """JSON schema's names of what may stand there."""
        types: str | list[str] = self.rules.get("type", "string")
        return frozenset([types] if isinstance(types, str) else types)

    def child(self, key: str) -> SchemaPart | None:
        """Return what may stand under a key; None when the key may not."""
        found = self.rules.get("properties", {}).get(key) or self.rules.get("additionalProperties")
        return self._resolved(found) if isinstance(found, dict) else None

    def at(self, keys: Iterable[str]) -> SchemaPart | None:
        """Return what may stand at a path of keys."""
        part: SchemaPart | None = self
        for key in keys:
            part = None if part is None else part.child(key)
        return part

    def _resolved(self, rules: dict[str, Any]) -> SchemaPart:
        reference = rules.get("$ref")
        if reference is None:
            return SchemaPart(self.name, rules)
        file, _, definition = reference.partition("#/$defs/")
        name = file.removesuffix(".schema.json") or self.name
        return SchemaPart(name, read_schema(name)["$defs"][definition])
