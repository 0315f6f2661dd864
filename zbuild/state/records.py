"""The records, and what else one run tells the next: run history, begun orders, trees, backends' memory.

Everything is committed, durably, when a method returns. A store may be used from several threads.
"""

from __future__ import annotations

import json
import time
import zlib
from typing import TYPE_CHECKING

from zbuild.state.checkpoints import Checkpoints
from zbuild.state.database import Database
from zbuild.state.record import COLUMNS, BegunOrder, from_row, to_row
from zbuild.state.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from zbuild.state.folder import StateFolder
    from zbuild.state.record import Record, Row

_SELECT = f"""SELECT {COLUMNS}, (
    SELECT json_group_array(json_array(selection, digest)) FROM exports WHERE exports.key = records.key
) FROM records"""  # noqa: S608 - made of constants
_KEPT_RUNS = 200
_MARKS = ", ".join("?" * (COLUMNS.count(",") + 1))


class Memory:
    """Texts kept by name: what a backend probed, what a reference resolved to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str | None:
        """Return the text of that name."""
        rows = self._database.query("SELECT value FROM memory WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def set(self, key: str, value: str) -> None:
        """Keep a text under a name, in the place of what was there."""
        self._database.change(("INSERT OR REPLACE INTO memory VALUES (?, ?)", (key, value)))


class RecordStore:
    """The records of a workspace. Methods raise StateError when the file cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.memory = Memory(database)
        self.upkeep = Upkeep(database)
        self.checkpoints = Checkpoints(database)

    @classmethod
    def open(cls, folder: StateFolder, on_notice: Callable[[str], None]) -> RecordStore:
        """Open the store, or make it; see `Database.open` for what is done to a damaged one and what is raised."""
        return cls(Database.open(folder.database, on_notice))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- records

    def get(self, key: str) -> Record | None:
        """Return the record of a key."""
        return self.get_many((key,)).get(key)

    def get_many(self, keys: Collection[str]) -> dict[str, Record]:
        """Return the records of those keys that have one, by key."""
        return {record.key: record for record in self._select("key", keys)}

    def by_static(self, static_key: str) -> Record | None:
        """Return the newest record of a static key."""
        return self.by_static_many((static_key,)).get(static_key)

    def by_static_many(self, static_keys: Collection[str]) -> dict[str, Record]:
        """Return the newest record of each static key that has one, by static key."""
        return {record.static_key: record for record in self._select("static_key", static_keys)}

    def has_own(self, own_key: str) -> bool:
        """Tell whether any record bears that own key."""
        return bool(self._database.query("SELECT 1 FROM records WHERE own_key = ? LIMIT 1", (own_key,)))

    def latest(self, stage: str) -> Record | None:
        """Return the newest record of a vertex."""
        rows = self._database.query(f"{_SELECT} WHERE stage = ? ORDER BY seq DESC LIMIT 1", (stage,))
        return from_row(rows[0]) if rows else None

    def records(self) -> Iterator[Record]:
        """Iterate over all records, in the order written."""
        return map(from_row, self._database.query(f"{_SELECT} ORDER BY seq"))

    def all_image_ids(self) -> frozenset[str]:
        """Return the image ids of all records and checkpoints."""
        sql = "SELECT image_id FROM records UNION SELECT image_id FROM checkpoints"
        return frozenset(row[0] for row in self._database.query(sql))

    def images_of(self, prefixes: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return, for keys of files as they are after a step, the images that hold them."""
        return self.checkpoints.images_of(prefixes)

    def put(self, record: Record) -> None:
        """Keep a record, in the place of any other of its key, which thereby is no longer unfinished."""
        exports = [("INSERT INTO exports VALUES (?, ?, ?)", (record.key, *export)) for export in record.exports]
        self._database.change(
            ("DELETE FROM exports WHERE key = ?", (record.key,)),
            # REPLACE gives the row a new seq: it is the newest.
            (f"INSERT OR REPLACE INTO records ({COLUMNS}) VALUES ({_MARKS})", to_row(record)),  # noqa: S608 - constants
            *exports,
            ("DELETE FROM unfinished WHERE key = ?", (record.key,)),
        )

    def forget(self, keys: Collection[str]) -> None:
        """Drop the records and checkpoints of those keys and what they alone tell of; a key without one is no error."""
        self.upkeep.forget(keys)

    def add_export(self, key: str, selection: str, digest: str) -> None:
        """Add a selection's tree digest to a record; without a record it has no effect."""
        sql = "INSERT OR REPLACE INTO exports SELECT key, ?, ? FROM records WHERE key = ?"
        self._database.change((sql, (selection, digest, key)))

    def set_content(self, key: str, content: str) -> None:
        """Add to a record what its layers hold; without a record it has no effect."""
        self._database.change(("UPDATE records SET content = ? WHERE key = ?", (content, key)))

    def _select(self, column: str, values: Collection[str]) -> Iterator[Record]:
        """Iterate over the records with one of the values in a column, oldest first, by one query."""
        sql = f"{_SELECT} WHERE {column} IN (SELECT value FROM json_each(?)) ORDER BY seq"  # noqa: S608 - constants
        return map(from_row, self._database.query(sql, (json.dumps(list(values)),)))

    # -- trees

    def save_tree(self, digest: str, listing: bytes) -> None:
        """Keep the listing that a tree digest was made from."""
        values = (digest, zlib.compress(listing, 1))
        self._database.change(("INSERT OR IGNORE INTO trees VALUES (?, ?)", values))

    def tree(self, digest: str) -> bytes | None:
        """Return the listing that a tree digest was made from."""
        rows = self._database.query("SELECT listing FROM trees WHERE digest = ?", (digest,))
        return zlib.decompress(rows[0][0]) if rows else None

    # -- begun orders

    def begin(self, key: str, names: Collection[str]) -> None:
        """Note that an order is begun, which will commit under these names, until its record is put."""
        values = (key, json.dumps(list(names)), time.time())
        self._database.change(("INSERT OR REPLACE INTO unfinished VALUES (?, ?, ?)", values))

    def unfinished(self) -> tuple[BegunOrder, ...]:
        """Return the orders begun and not recorded, oldest first."""
        rows = self._database.query("SELECT key, names, started FROM unfinished ORDER BY started, key")
        return tuple(BegunOrder(key, tuple(json.loads(names)), started) for key, names, started in rows)

    def clear_unfinished(self) -> None:
        """Forget the begun orders, once their leftovers are swept."""
        self._database.change(("DELETE FROM unfinished", ()))

    # -- runs

    def add_run(self, run_id: str, command: str, started: float) -> None:
        """Note that a run began; `started` is unix time. Of all runs, the newest are kept."""
        sql = "INSERT INTO runs (id, command, started) VALUES (?, ?, ?)"
        old = "DELETE FROM runs WHERE id IN (SELECT id FROM runs ORDER BY started DESC, id DESC LIMIT -1 OFFSET ?)"
        # Arguments that are no UTF-8 hold surrogates, which sqlite's text cannot.
        shown = command.encode("utf-8", "backslashreplace").decode()
        self._database.change((sql, (run_id, shown, started)), (old, (_KEPT_RUNS,)))

    def finish_run(self, run_id: str, status: str, report: str) -> None:
        """Note how a run ended; `report` is JSON."""
        sql = "UPDATE runs SET finished = ?, status = ?, report = ? WHERE id = ?"
        self._database.change((sql, (time.time(), status, report, run_id)))

    def runs(self) -> tuple[Row, ...]:
        """Return (id, command, started, finished, status, report) of all runs, oldest first; None: not finished."""
        sql = "SELECT id, command, started, finished, status, report FROM runs ORDER BY started, id"
        return tuple(self._database.query(sql))

    def last_seconds(self, stage: str) -> float | None:
        """Return how long a vertex took the last time it ran."""
        return self.last_seconds_many((stage,)).get(stage)

    def last_seconds_many(self, stages: Collection[str]) -> dict[str, float]:
        """Return how long each of these vertices took the last time, for those that ever ran."""
        sql = "SELECT stage, seconds FROM records WHERE stage IN (SELECT value FROM json_each(?)) ORDER BY seq"
        return dict(self._database.query(sql, (json.dumps(list(stages)),)))
