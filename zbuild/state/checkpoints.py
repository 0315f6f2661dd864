"""The checkpoints: which image holds the files of a stage as they are after one of its steps."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from zbuild.state.record import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zbuild.state.database import Database
    from zbuild.state.record import Row

_COLUMNS = "key, stage, done, steps, backend, image_id, diff_ids, size, created, run_id"
_MARKS = ", ".join("?" * (_COLUMNS.count(",") + 1))
# Of results the oldest come first: who went on from one of them without a step of its own has a layer more.
_IMAGES = """SELECT key, image_id FROM checkpoints WHERE key IN (SELECT value FROM json_each(?1))
    UNION ALL SELECT files_key, image_id FROM (
        SELECT files_key, image_id FROM records WHERE files_key IN (SELECT value FROM json_each(?1)) ORDER BY seq
    )"""


class Checkpoints:
    """The checkpoints of a workspace. Methods raise StateError when the file cannot be read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, in the place of any other of its key."""
        sql = f"INSERT OR REPLACE INTO checkpoints ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - constants
        self._database.change((sql, _to_row(checkpoint)))

    def images_of(self, keys: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return the images that hold the files of a key: of its checkpoint, then of stages that ended so."""
        found = defaultdict(list)
        for key, image_id in self._database.query(_IMAGES, (json.dumps(list(keys)),)):
            found[key].append(image_id)
        return found

    def all(self) -> tuple[Checkpoint, ...]:
        """Return all checkpoints, in the order written."""
        rows = self._database.query(f"SELECT {_COLUMNS} FROM checkpoints ORDER BY seq")  # noqa: S608 - constants
        return tuple(map(_from_row, rows))


def _to_row(checkpoint: Checkpoint) -> Row:
    return (
        *(checkpoint.key, checkpoint.stage, checkpoint.done, checkpoint.steps, checkpoint.backend),
        *(checkpoint.image_id, json.dumps(checkpoint.diff_ids), checkpoint.size, checkpoint.created),
        checkpoint.run_id,
    )


def _from_row(row: Row) -> Checkpoint:
    key, stage, done, steps, backend, image_id, diff_ids, size, created, run_id = row
    return Checkpoint(key, stage, done, steps, backend, image_id, tuple(json.loads(diff_ids)), size, created, run_id)
