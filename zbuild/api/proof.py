"""What a build saw, so that the next one can tell at once that nothing changed (see `cli/quick.py`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.api.graphs import settled
from zbuild.base.dataclass import dataclass
from zbuild.frontend.lock_file import LOCK_FILE
from zbuild.state.stamp import stat_row

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.api.build import Build
    from zbuild.api.graphs import LoadedGraph, Row
    from zbuild.api.session import Session
    from zbuild.state.folder import StateFolder


@dataclass(frozen=True, slots=True)
class Proof:
    """Files that were as their rows say when the build ended well, and the stat indexes that cover the contexts.

    `environment` are the variables that the build files asked for, with what their values hash to.
    `until` is the unix time at which a URL or the tag of a base must be looked at again; infinite where nothing of the
    kind is used.
    """

    root: Path
    rows: tuple[Row, ...]
    indexes: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    until: float = float("inf")

    def sealed(self, folder: StateFolder) -> Proof:
        """Return the proof with the records' file as it is once closed: nobody may add or drop a record after it."""
        files = (str(folder.database), f"{folder.database}-wal")
        return replace(self, rows=(*self.rows, *(stat_row(path) for path in files)))


def make_proof(loaded: LoadedGraph, session: Session, build: Build, searched: tuple[str, ...]) -> Proof | None:
    """Return the proof of a build that ended well; None when something it rests on may still change unseen.

    `searched` are the paths whose coming or going would have led to another workspace.
    """
    lock_file = str(session.root / LOCK_FILE)
    users = tuple(stat_row(path) for path in (*sorted(session.sources.ignore_files), lock_file, *searched))
    rows = (*loaded.rows, *users)
    again = any(vertex.settings.no_cache for vertex in loaded.graph.vertices)
    until = session.fresh_until
    done = build.repeatable and build.shared
    if again or not until or not done or not loaded.settled or not settled(users, build.began):
        return None
    indexes = session.sources.save()
    # The images' files are written by the backend alone, each time under a new inode.
    store = tuple(stat_row(row[0]) for row in session.backend.store_stamp())
    return Proof(session.root, (*rows, *store), indexes, loaded.environment, until)
