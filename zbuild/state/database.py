"""The sqlite file under the records: opened safe against kills and power cuts, checked, set aside when damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from zbuild.base.errors import StateError
from zbuild.state.faults import disk_full, read_only, state_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from zbuild.state.record import Row

SCHEMA = 4
_APPLICATION = 0x7A627569  # "zbui": tells our files from other programs'
_BUSY_SECONDS = 10.0
_IMAGE_INDEX = "CREATE INDEX records_image ON records (backend, stage, image_id)"
_FILES_INDEX = "CREATE INDEX records_files_key ON records (files_key)"
_CHECKPOINTS = """CREATE TABLE checkpoints (
        seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, stage TEXT NOT NULL, done INTEGER NOT NULL,
        steps INTEGER NOT NULL, backend TEXT NOT NULL, image_id TEXT NOT NULL, diff_ids TEXT NOT NULL,
        size INTEGER NOT NULL, created REAL NOT NULL, run_id TEXT NOT NULL, used REAL NOT NULL DEFAULT 0
    ) STRICT"""
_CREATE = (
    """CREATE TABLE records (
        seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, static_key TEXT NOT NULL, own_key TEXT NOT NULL,
        stage TEXT NOT NULL, backend TEXT NOT NULL, platform TEXT NOT NULL, image_id TEXT NOT NULL,
        digest TEXT NOT NULL, diff_ids TEXT NOT NULL, config TEXT NOT NULL, size INTEGER NOT NULL,
        layer_count INTEGER NOT NULL, seconds REAL NOT NULL, step_seconds TEXT NOT NULL, inputs TEXT NOT NULL,
        created REAL NOT NULL, run_id TEXT NOT NULL, used REAL NOT NULL DEFAULT 0,
        content TEXT NOT NULL DEFAULT '', files_key TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE INDEX records_static_key ON records (static_key)",
    "CREATE INDEX records_own_key ON records (own_key)",
    "CREATE INDEX records_stage ON records (stage)",
    _IMAGE_INDEX,
    _FILES_INDEX,
    _CHECKPOINTS,
    """CREATE TABLE exports (
        key TEXT NOT NULL, selection TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (key, selection)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE trees (digest TEXT PRIMARY KEY, listing BLOB NOT NULL) STRICT",
    "CREATE TABLE unfinished (key TEXT PRIMARY KEY, names TEXT NOT NULL, started REAL NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE memory (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE runs (
        id TEXT PRIMARY KEY, command TEXT NOT NULL, started REAL NOT NULL, finished REAL, status TEXT, report TEXT
    ) STRICT, WITHOUT ROWID""",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {SCHEMA}",
)
# What makes each older version the next one.
_UPGRADES: dict[int, tuple[str, ...]] = {
    1: ("ALTER TABLE records ADD COLUMN used REAL NOT NULL DEFAULT 0", _IMAGE_INDEX),
    2: ("ALTER TABLE records ADD COLUMN content TEXT NOT NULL DEFAULT ''",),
    3: ("ALTER TABLE records ADD COLUMN files_key TEXT NOT NULL DEFAULT ''", _FILES_INDEX, _CHECKPOINTS),
}


class _DamagedError(Exception):
    """The file is no database of ours, or not a whole one."""


class Database:
    """One connection, one statement or transaction at a time, from whatever thread. Faults come out as StateError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, on_notice: Callable[[str], None]) -> Database:
        """Open the file, or make it. A damaged one is set aside as `.bak`, with a notice, and made anew.

        Raises StateError: `state-newer` for a file of a later zbuild, which is left as it is; disk-full,
        state-read-only, state-busy or state-io when it cannot be opened.
        """
        try:
            return cls(path, _connect(path))
        except _DamagedError as damage:
            backup = _set_aside(path)
            on_notice(f"{path} is damaged ({damage}): it is kept as {backup.name}, and everything counts as not built")
        try:
            return cls(path, _connect(path))
        except _DamagedError as damage:
            raise StateError("state-io", f"{path} cannot be made: {damage}") from damage

    def query(self, sql: str, values: Row = ()) -> list[Row]:
        """Return all rows of a SELECT."""
        with self._lock, _faults(self._path):
            return self._connection.execute(sql, values).fetchall()

    def change(self, *statements: tuple[str, Row]) -> None:
        """Execute statements in one transaction; on return it is durable, on an error nothing of it is kept."""
        with self._lock, _faults(self._path), _transaction(self._connection, "BEGIN IMMEDIATE"):
            for sql, values in statements:
                self._connection.execute(sql, values)

    def close(self) -> None:
        """Close the file; what was committed is durable already."""
        with self._lock, _faults(self._path):
            self._connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    with _faults(path):
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path)
        except sqlite3.DatabaseError as error:
            connection.close()
            if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise _DamagedError(str(error)) from error
            raise
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    with _transaction(connection, "BEGIN"):
        version = _version(connection)
    if version > SCHEMA:
        raise StateError(
            "state-newer",
            f"{path} was written by a newer zbuild",
            hint="use that one, or remove the folder .zbuild: the next build is slower, never wrong",
        )
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL loses acknowledged commits in a power cut, and with them the images that were built.
    connection.execute("PRAGMA synchronous = FULL")
    found = _value(connection, "PRAGMA quick_check(1)")
    if found != "ok":
        raise _DamagedError(found)
    if version == 0:
        _create(connection)
    elif version < SCHEMA:
        _upgrade(connection)


def _version(connection: sqlite3.Connection) -> int:
    """Return the schema's version, 0 for an empty file. The caller has a transaction open: another may be writing."""
    version = int(_value(connection, "PRAGMA user_version"))
    ours = _value(connection, "PRAGMA application_id") == _APPLICATION
    if not ours and (version or _value(connection, "SELECT count(*) FROM sqlite_master")):
        raise _DamagedError("it is not zbuild's")
    return version


def _create(connection: sqlite3.Connection) -> None:
    with _transaction(connection, "BEGIN IMMEDIATE"):
        if _version(connection) == 0:  # else another process has made the tables while this one waited
            for statement in _CREATE:
                connection.execute(statement)


def _upgrade(connection: sqlite3.Connection) -> None:
    with _transaction(connection, "BEGIN IMMEDIATE"):
        for version in range(_version(connection), SCHEMA):  # another process may have done it while this one waited
            for statement in _UPGRADES[version]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Commit what is done inside; on an error nothing of it is kept."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk can have rolled it back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _value(connection: sqlite3.Connection, sql: str) -> Any:  # noqa: ANN401 - what sqlite gives depends on the query
    return connection.execute(sql).fetchone()[0]


def _set_aside(path: Path) -> Path:
    backup = path.with_name(path.name + ".bak")
    for suffix in ("", "-wal", "-shm"):
        try:
            os.replace(f"{path}{suffix}", f"{backup}{suffix}")  # noqa: PTH105 - suffixes are joined to the name
        except FileNotFoundError:
            continue
        except OSError as error:
            raise state_fault(error, path) from error
    return backup


def _code(error: sqlite3.Error) -> int:
    """Return sqlite's primary result code: the low byte of the extended one, 0 when there is none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextlib.contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _fault(error, path) from error


def _fault(error: sqlite3.Error, path: Path) -> StateError:
    code = _code(error)
    # What the file system refused can come out as a plain input/output error: look what the matter is.
    unclear = code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
    if code == sqlite3.SQLITE_FULL or (unclear and _is_full(path)):
        return disk_full(path)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM) or (unclear and not os.access(path.parent, os.W_OK)):
        return read_only(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StateError("state-busy", f"{path} is in use by another process", hint="try again when it has ended")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StateError("state-damaged", f"{path} is damaged: {error}", hint="build again: it will be set aside")
    return StateError("state-io", f"{path} cannot be used: {error}")


def _is_full(path: Path) -> bool:
    """Tell whether the file system has no room left, or no file to give."""
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return False
    return room.f_bavail == 0 or (room.f_files > 0 and room.f_favail == 0)
