"""The record: what is remembered of a finished stage under its key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

Row: TypeAlias = "tuple[Any, ...]"  # of sqlite: None, int, float, str or bytes, by the column's type


@dataclass(frozen=True, slots=True)
class Record:
    """A stage's result and what it came from.

    `static_key` stands for the whole way down to what is not built here, `own_key` for the stage apart from its base.
    `stage` is the vertex's id, `config` canonical JSON, `size` bytes over all layers. `seconds` is the whole stage's
    time, `step_seconds` each step's. `inputs` are (instruction, what, value) for `explain`; `exports` are
    (selection id, tree digest); `created` is unix time, for people: what is newest is told by the order of writing.
    `content` names what all layers hold, times aside; "" until a stage that starts from this one asks for it.
    `files_key` is the key of the files after its last step: its image serves as a checkpoint. "" where it may not.
    """

    key: str
    static_key: str
    own_key: str
    stage: str
    backend: str
    platform: str
    image_id: str
    digest: str
    diff_ids: tuple[str, ...]
    config: str
    size: int
    layer_count: int
    seconds: float
    step_seconds: tuple[float, ...]
    inputs: tuple[tuple[str, str, str], ...]
    exports: tuple[tuple[str, str], ...]
    created: float
    run_id: str
    content: str = ""
    files_key: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The files of a stage as they are after the first `done` of its `steps`, kept as an image.

    `key` is that of the files, which other stages that begin alike have, too; `stage` is the one it was made by.
    `size` is bytes over all layers, `created` unix time.
    """

    key: str
    stage: str
    done: int
    steps: int
    backend: str
    image_id: str
    diff_ids: tuple[str, ...]
    size: int
    created: float
    run_id: str


@dataclass(frozen=True, slots=True)
class BegunOrder:
    """An order that was begun and not recorded: the names it commits under, and when it began (unix time)."""

    key: str
    names: tuple[str, ...]
    started: float


# The columns of the table `records`, in the order of `to_row` and `from_row`; exports have a table of their own.
COLUMNS = (
    "key, static_key, own_key, stage, backend, platform, image_id, digest, diff_ids, config, size, layer_count, "
    "seconds, step_seconds, inputs, created, run_id, content, files_key"
)


def to_row(record: Record) -> Row:
    """Return the values of `COLUMNS`."""
    return (
        *(record.key, record.static_key, record.own_key, record.stage, record.backend, record.platform),
        *(record.image_id, record.digest, _dump(record.diff_ids), record.config, record.size, record.layer_count),
        *(record.seconds, _dump(record.step_seconds), _dump(record.inputs), record.created, record.run_id),
        *(record.content, record.files_key),
    )


def from_row(row: Row) -> Record:
    """Return the record of `COLUMNS` and, after them, its exports as a JSON list of pairs."""
    key, static_key, own_key, stage, backend, platform, image_id, digest = row[:8]
    diff_ids, config, size, layer_count, seconds, step_seconds, inputs, created, run_id = row[8:17]
    content, files_key, exports = row[17:]
    return Record(
        key=key,
        static_key=static_key,
        own_key=own_key,
        stage=stage,
        backend=backend,
        platform=platform,
        image_id=image_id,
        digest=digest,
        diff_ids=tuple(json.loads(diff_ids)),
        config=config,
        size=size,
        layer_count=layer_count,
        seconds=seconds,
        step_seconds=tuple(json.loads(step_seconds)),
        inputs=tuple(map(tuple, json.loads(inputs))),
        exports=tuple(map(tuple, json.loads(exports))),
        created=created,
        run_id=run_id,
        content=content,
        files_key=files_key,
    )


def _dump(value: Sequence[object]) -> str:
    # ASCII: file names that are no UTF-8 hold surrogates, which sqlite's text cannot, and JSON's escapes can.
    return json.dumps(value, separators=(",", ":"))
