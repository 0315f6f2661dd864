"""Trees: results that are only read from and built upon, kept as the folders that the kernel's overlay wrote.

A commit packs all that a stage wrote into a tar, digests it, and unpacks it again. What nobody wants as an image needs
none of that: a tree is laid out like a layer of the store, and lies on the same file system (ADR 0022).

    <graphroot>/zbuild/<workspace>/<tree>/diff, work    as of a layer, see `overlay.py`; `work` while it is written
    <graphroot>/zbuild/<workspace>/<tree>/lower         what lies below, from the top: trees' diffs, then l/A:l/B
    <graphroot>/zbuild/<workspace>/<tree>/image         the id of the image at the bottom, "" for scratch
    <graphroot>/zbuild/<workspace>/<tree>/size          the bytes of what was written, when that has ended
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.container import Container
from zbuild.backend.buildah.store import stamp_of
from zbuild.backend.buildah.tree import mounted_tree, new_tree_id
from zbuild.backend.image_json import diff_ids
from zbuild.backend.linking import copy_owner, link_tree, without_mounts
from zbuild.backend.protocol import ImageUse
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import ImageGoneError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.plain_images import PlainImages
    from zbuild.backend.buildah.tree import Tree

_PREFIX = "tree-"


def is_tree(image_id: str) -> bool:
    """Tell a tree's id from an image's."""
    return image_id.startswith(_PREFIX)


@dataclass(frozen=True, slots=True)
class StoredTree:
    """A tree: its folder, the image at the bottom ("" for scratch), and the folders of the trees between, top first."""

    folder: Path
    image: str
    below: tuple[Path, ...] = ()

    @property
    def id(self) -> str:
        """Its id."""
        return self.folder.name


class Trees:
    """The trees of a workspace. Methods raise OSError as the system calls do."""

    def __init__(self, engine: Engine, plain: PlainImages) -> None:
        self._engine = engine
        self._plain = plain
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where they are."""
        return Path(self._engine.facts.graphroot) / "zbuild" / self._engine.names.container_prefix.rstrip("-")

    def stamp(self) -> tuple[str, int, int, int]:
        """Return what changes when a tree comes or goes."""
        return stamp_of(str(self.folder))

    def stored(self) -> dict[str, StoredTree]:
        """Return by id the trees of which all is there: the image at the bottom, and the trees between."""
        trees = {tree.id: tree for tree in self._found()}
        images = self._engine.store.images() if trees else {}
        return {
            tree.id: tree
            for tree in trees.values()
            if (not tree.image or tree.image in images) and all(folder.name in trees for folder in tree.below)
        }

    def get(self, tree_id: str) -> StoredTree:
        """Return a tree. Raises ImageGoneError when some of it is not there."""
        tree = _read(self.folder / tree_id)
        if not all((folder / "diff").is_dir() for folder in (tree.folder, *tree.below)):
            raise ImageGoneError("image-gone", f"the files of {tree_id} are no longer in the store")
        if tree.image:
            self._engine.store.image(tree.image)
        return tree

    def create(self, base: str) -> Tree | None:
        """Make and mount an empty tree upon an image, another tree, or "": nothing. None where that does not work.

        Raises ImageGoneError.
        """
        image, lower = base, list[str]()
        if is_tree(base):
            below = self.get(base)
            image, lower = below.image, _layers(below.folder)
        elif base:
            lower = self._engine.overlay.layers(self._engine.store.image(base).layer)
        folder = self.folder / new_tree_id()
        folder.mkdir(mode=0o700, parents=True)
        for name in ("diff", "work", "empty"):
            (folder / name).mkdir(mode=0o555)  # as containers/storage makes the root of what has nothing below
        if lower:
            copy_owner(bytes(self._engine.overlay.home / lower[0]), bytes(folder / "diff"))
        (folder / "lower").write_text(":".join(lower or [f"{folder}/empty"]), encoding="ascii")
        (folder / "image").write_text(image, encoding="ascii")
        return mounted_tree(self._engine, _read(folder))

    def layer_ids(self, tree: StoredTree) -> tuple[str, ...]:
        """Return what names its layers, the lowest first: the image's diff ids, then the ids of trees."""
        image = diff_ids(self._engine.store.config(tree.image)) if tree.image else ()
        return (*image, *(folder.name for folder in reversed(tree.below)), tree.id)

    def size(self, tree: StoredTree) -> int:
        """Return the bytes of all its layers."""
        store = self._engine.store
        image = store.size(store.image(tree.image)) if tree.image else 0
        return image + sum(map(_own_size, (tree.folder, *tree.below)))

    def mount(self, name: str, tree_id: str) -> bytes | None:
        """Mount a tree to be read; None where that does not work. Raises ImageGoneError."""
        return self._engine.overlay.mount_layers(name, _layers(self.get(tree_id).folder))

    def folders(self, tree_id: str) -> list[Path]:
        """Return what holds each layer of a tree, the lowest first; nothing where the image has no such folders."""
        tree = self.get(tree_id)
        own = [path / "diff" for path in (*reversed(tree.below), tree.folder)]
        image = self._engine.store.layer_folders(tree.image) if tree.image else []
        return [*image, *own] if image or not tree.image else []

    def usage(self, image_usage: dict[str, ImageUse]) -> dict[str, ImageUse]:
        """Return the use of every tree by id: it shares with others the trees and the image it stands on."""
        found = {}
        for tree in self.stored().values():
            shared = image_usage[tree.image].layers if tree.image else {}
            own = {folder.name: _own_size(folder) for folder in (tree.folder, *tree.below)}
            found[tree.id] = ImageUse((), in_use=False, layers={**shared, **own})
        return found

    def image_of(self, tree_id: str) -> str:
        """Return an image of what a tree holds, made when first asked for. Raises ImageGoneError, BackendError."""
        tree = self.get(tree_id)
        base = self.image_of(tree.below[0].name) if tree.below else tree.image
        name = self._engine.names.image(tree_id)
        with self._lock:
            images = self._engine.store.images().values()
            found = next((image.id for image in images if name in image.names), "")
            return found or self._commit(tree, base, name)

    def _commit(self, tree: StoredTree, base: str, name: str) -> str:
        with Container(self._engine, self._plain.of(base) if base else commands.SCRATCH) as container:
            graphroot = Path(self._engine.facts.graphroot)
            with without_mounts(graphroot) as shown:
                source, target = (
                    shown / path.relative_to(graphroot) for path in (tree.folder / "diff", container.upper)
                )
                link_tree(bytes(source), bytes(target))
            image_id = self._engine.call(commands.commit(container.name, name, "oci"))
            container.committed()
        return image_id.removeprefix("sha256:")

    def remove(self, ids: Collection[str]) -> list[str]:
        """Remove those of some trees and images that are trees, and return the images that may go, too.

        What others stand on stays. Such an image gets a name by which a sweep finds it when its time has come.
        """
        left = [tree for tree in self._found() if tree.id not in ids]
        below = {folder.name for tree in left for folder in tree.below}
        self._drop(tree_id for tree_id in ids if is_tree(tree_id) and tree_id not in below)
        bottoms = self.bottoms().intersection(ids)
        for image in bottoms:
            if not self._engine.store.image(image).names:
                self._engine.call(commands.tag(image, [self._engine.names.image(image)]))
        return [image_id for image_id in ids if not is_tree(image_id) and image_id not in bottoms]

    def bottoms(self) -> set[str]:
        """Return the images that trees stand on."""
        return {tree.image for tree in self.stored().values()}

    def _drop(self, tree_ids: Iterable[str]) -> None:
        for tree_id in tree_ids:
            shutil.rmtree(self.folder / tree_id, ignore_errors=True)

    def sweep(self, keep: Collection[str]) -> tuple[str, ...]:
        """Remove the trees that are neither to be kept, nor below one that is, nor whole; return their ids."""
        trees = self.stored()
        kept = {tree_id for tree_id in keep if tree_id in trees}
        kept.update(folder.name for tree_id in tuple(kept) for folder in trees[tree_id].below)
        gone = tuple(tree.id for tree in self._found() if tree.id not in kept)
        self._drop(gone)
        return gone

    def _found(self) -> list[StoredTree]:
        if not self.folder.is_dir():
            return []
        return [_read(Path(entry)) for entry in os.scandir(self.folder) if is_tree(entry.name)]


def _read(folder: Path) -> StoredTree:
    below = [Path(path).parent for path in _lower(folder) if path.endswith("/diff")]
    try:
        image = (folder / "image").read_text(encoding="ascii")
    except FileNotFoundError:  # a run was killed while it made this one
        image = "none"
    return StoredTree(folder, image, tuple(below))


def _own_size(folder: Path) -> int:
    try:
        return int((folder / "size").read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0


def _layers(folder: Path) -> list[str]:
    """Return the folders that a tree adds up to, the topmost first."""
    return [f"{folder}/diff", *_lower(folder)]


def _lower(folder: Path) -> list[str]:
    try:
        return (folder / "lower").read_text(encoding="ascii").split(":")
    except FileNotFoundError:
        return []
