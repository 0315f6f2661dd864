"""Keeps the records from growing for ever: when each was used, and which nobody can use any more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from zbuild.state.database import Database

_USE_SECONDS = 3600.0  # uses closer together than this are not told apart: most runs need not write

# A record without its image still tells why a stage runs and how long it takes; one per stage is enough for that.
_DEAD = """SELECT key FROM records WHERE backend = ? AND image_id NOT IN (SELECT value FROM json_each(?))
    AND seq NOT IN (SELECT max(seq) FROM records GROUP BY backend, stage)"""
_DROP_CHECKPOINTS = """DELETE FROM checkpoints WHERE backend = ?
    AND image_id NOT IN (SELECT value FROM json_each(?))"""
_TABLES = ("records", "checkpoints")
_DROP_TREES = """DELETE FROM trees WHERE digest NOT IN (
    SELECT json_extract(input.value, '$[2]') FROM records, json_each(records.inputs) AS input
)"""


class Upkeep:
    """What is done for the records as a whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note_use(self, keys: Collection[str], now: float) -> None:
        """Remember that records and checkpoints were used at a unix time.

        To the hour, and without writing where that is known.
        """
        values = (now, now - _USE_SECONDS, json.dumps(list(keys)))
        sql = """UPDATE {} SET used = ? WHERE max(created, used) < ?
            AND key IN (SELECT value FROM json_each(?))"""
        self._database.change(*((sql.format(table), values) for table in _TABLES))

    def last_used(self) -> dict[str, float]:
        """Return the unix time at which each record and checkpoint was made or last used, by key."""
        tables = " UNION ALL ".join(f"SELECT key, max(created, used) FROM {table}" for table in _TABLES)  # noqa: S608 - constants
        return dict(self._database.query(tables))

    def drop_dead(self, backend: str, present: Collection[str]) -> None:
        """Drop what a backend's records and checkpoints tell of images that are none of those present.

        The newest record of each stage stays.
        """
        chosen = (backend, json.dumps(list(present)))
        dead = [row[0] for row in self._database.query(_DEAD, chosen)]
        if dead:
            self.forget(dead)
        self._database.change((_DROP_CHECKPOINTS, chosen))

    def forget(self, keys: Collection[str]) -> None:
        """Drop the records and checkpoints of those keys, and the trees that no other record tells of."""
        chosen = (json.dumps(list(keys)),)
        self._database.change(
            ("DELETE FROM records WHERE key IN (SELECT value FROM json_each(?))", chosen),
            ("DELETE FROM checkpoints WHERE key IN (SELECT value FROM json_each(?))", chosen),
            ("DELETE FROM exports WHERE key IN (SELECT value FROM json_each(?))", chosen),
            (_DROP_TREES, ()),
        )
