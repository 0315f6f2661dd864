"""One tree being written: the same to a stage's steps as a working container (see `container.py`)."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from zbuild.base.disk import tree_size

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.trees import StoredTree


class Tree:
    """A mounted tree, which is gone at the end of its `with` block unless it is kept."""

    def __init__(self, engine: Engine, stored: StoredTree, name: str, root: bytes) -> None:
        """Take over a tree that is mounted at `root` under a name."""
        self.name = name
        self.id = stored.id.rpartition("-")[2]
        self.root = root
        self._engine = engine
        self._stored = stored
        self._is_kept = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_kept:
            self._release()
            shutil.rmtree(self._stored.folder, ignore_errors=True)

    def written(self, _limit: float) -> float:
        """Return 0: what was written need not be written again."""
        return 0.0

    def keep(self) -> StoredTree:
        """End the writing; nothing of it need be on the disk yet. Raises OSError."""
        self._release()
        folder = self._stored.folder
        shutil.rmtree(folder / "work")
        (folder / "size").write_text(str(tree_size(folder / "diff")), encoding="ascii")
        self._is_kept = True
        return self._stored

    def _release(self) -> None:
        self._engine.overlay.unmount(self.name, str(self._stored.folder))


def mounted_tree(engine: Engine, stored: StoredTree) -> Tree | None:
    """Mount a tree to be written; None, and no tree is left, where that does not work. Raises OSError."""
    name = engine.names.new_container()
    root = engine.overlay.mount_container(name, str(stored.folder))
    if root is None:
        shutil.rmtree(stored.folder)
        return None
    return Tree(engine, stored, name, root)


def new_tree_id() -> str:
    """Return an id that no other tree has."""
    return f"tree-{os.urandom(8).hex()}"
