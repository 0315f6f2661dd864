"""Trees: results that are only read from and built upon, kept as the folders that the kernel's overlay wrote.

A commit packs all that a stage wrote into a tar, digests it, and unpacks it again. What nobody wants as an image needs
none of that: a tree is laid out like a layer of the store, and lies on the same file system (ADR 0022).

    <graphroot>/zbuild/<workspace>/<tree>/diff, work    as of a layer, see `overlay.py`; `work` while it is written
    <graphroot>/zbuild/<workspace>/<tree>/lower         what lies below, from the top, as of a layer, by their folders
    <graphroot>/zbuild/<workspace>/<tree>/below         the ids of the same: trees, then the image, "" for scratch
    <graphroot>/zbuild/<workspace>/<tree>/size          the bytes of what was written, when that has ended
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.commit import commit_as
from zbuild.backend.buildah.container import Container
from zbuild.backend.buildah.store import stamp_of
from zbuild.backend.buildah.syncfs import syncfs
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
_NONE = "none"  # stands for an image that is not there


def is_tree(image_id: str) -> bool:
    """Tell a tree's id from an image's."""
    return image_id.startswith(_PREFIX)


@dataclass(frozen=True, slots=True)
class StoredTree:
    """A tree: its folder, the image at the bottom ("" for scratch), and the ids of the trees between, top first."""

    folder: Path
    image: str
    below: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its id."""
        return self.folder.name

    @property
    def folders(self) -> tuple[Path, ...]:
        """Its folder and those of the trees between, top first."""
        return (self.folder, *map(self.folder.with_name, self.below))


class Trees:
    """The trees of a workspace. Methods raise OSError as the system calls do."""

    def __init__(self, engine: Engine, plain: PlainImages) -> None:
        self._engine = engine
        self._plain = plain
        self._lock = threading.Lock()
        self._known: dict[str, StoredTree] = {}  # what is written of a tree never changes

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
            if (not tree.image or tree.image in images) and all(below in trees for below in tree.below)
        }

    def get(self, tree_id: str) -> StoredTree:
        """Return a tree. Raises ImageGoneError when some of it is not there."""
        tree = self._known.get(tree_id) or self._read(self.folder / tree_id)
        if not all((folder / "diff").is_dir() for folder in tree.folders):
            raise _gone(tree_id)
        if tree.image:
            self._engine.store.image(tree.image)
        return tree

    def create(self, base: str) -> Tree | None:
        """Make and mount an empty tree upon an image, another tree, or "": nothing. None where that does not work.

        Raises ImageGoneError.
        """
        below, lower = [base], list[str]()
        if is_tree(base):
            tree = self.get(base)
            below, lower = [base, *tree.below, tree.image], self._layers(tree)
        elif base:
            lower = self._engine.overlay.layers(self._engine.store.image(base).layer)
        folder = self.folder / new_tree_id()
        folder.mkdir(mode=0o700, parents=True)
        try:
            self._lay_out(folder, below, lower)
            return mounted_tree(self._engine, _read(folder))
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                error.filename = error.filename or str(folder)  # which a failed write does not tell
            raise

    def _lay_out(self, folder: Path, below: Collection[str], lower: list[str]) -> None:
        for name in ("diff", "work", "empty"):
            (folder / name).mkdir()
        if lower:
            copy_owner(os.fsencode(self._engine.overlay.full(lower[0])), bytes(folder / "diff"))
        else:
            (folder / "diff").chmod(0o555)  # as containers/storage makes the root of what has nothing below
        (folder / "lower").write_text(":".join(lower or [_relative(folder, "empty")]), encoding="ascii")
        (folder / "below").write_text(":".join(below), encoding="ascii")

    def _layers(self, tree: StoredTree) -> list[str]:
        """Return the folders that a tree adds up to, the topmost first, as `overlay.py` has those of layers."""
        try:
            lower = (tree.folder / "lower").read_text(encoding="ascii")
        except FileNotFoundError:
            raise _gone(tree.id) from None
        return [_relative(tree.folder, "diff"), *lower.split(":")]

    def layer_ids(self, tree: StoredTree) -> tuple[str, ...]:
        """Return what names its layers, the lowest first: the image's diff ids, then the ids of trees."""
        image = diff_ids(self._engine.store.config(tree.image)) if tree.image else ()
        return (*image, *reversed(tree.below), tree.id)

    def size(self, tree: StoredTree) -> int:
        """Return the bytes of all its layers."""
        store = self._engine.store
        image = store.size(store.image(tree.image)) if tree.image else 0
        return image + sum(map(_own_size, tree.folders))

    def mount(self, name: str, tree_id: str) -> bytes | None:
        """Mount a tree to be read; None where that does not work. Raises ImageGoneError."""
        return self._engine.overlay.mount_layers(name, self._layers(self.get(tree_id)))

    def folders(self, tree_id: str) -> list[Path]:
        """Return what holds each layer of a tree, the lowest first; nothing where the image has no such folders."""
        tree = self.get(tree_id)
        own = [path / "diff" for path in reversed(tree.folders)]
        image = self._engine.store.layer_folders(tree.image) if tree.image else []
        return [*image, *own] if image or not tree.image else []

    def usage(self, image_usage: dict[str, ImageUse]) -> dict[str, ImageUse]:
        """Return the use of every tree by id: it shares with others the trees and the image it stands on."""
        found = {}
        for tree in self.stored().values():
            shared = image_usage[tree.image].layers if tree.image else {}
            own = {folder.name: _own_size(folder) for folder in tree.folders}
            found[tree.id] = ImageUse((), in_use=False, layers={**shared, **own})
        return found

    def image_of(self, image_id: str) -> str:
        """Return an image as it is, and of a tree one of what it holds, made when first asked for.

        Raises ImageGoneError, BackendError.
        """
        if not is_tree(image_id):
            return image_id
        tree = self.get(image_id)
        base = self.image_of(tree.below[0] if tree.below else tree.image)
        name = self._engine.names.image(tree.id)
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
            # What bears the tree's name is built upon by later runs, too, so it must be on the disk before it does.
            draft = self._engine.names.image(f"draft-{tree.id}")
            image_id = commit_as(self._engine, container, (draft,), "oci")
        syncfs(self._engine.facts.graphroot)
        self._engine.call(commands.tag(image_id, [name]))
        return image_id

    def remove(self, ids: Collection[str]) -> list[str]:
        """Remove those of some trees and images that are trees, and return the images that may go, too.

        What others stand on stays. Such an image gets a name by which a sweep finds it when its time has come.
        """
        left = [tree for tree in self._found() if tree.id not in ids]
        below = {tree_id for tree in left for tree_id in tree.below}
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
        kept.update(below for tree_id in tuple(kept) for below in trees[tree_id].below)
        gone = tuple(tree.id for tree in self._found() if tree.id not in kept)
        self._drop(gone)
        return gone

    def _found(self) -> list[StoredTree]:
        folder = self.folder
        try:
            names = os.listdir(folder)  # noqa: PTH208 - names are wanted, of what may be a thousand
        except FileNotFoundError:
            return []
        return [self._known.get(name) or self._read(folder / name) for name in names if is_tree(name)]

    def _read(self, folder: Path) -> StoredTree:
        """Return a tree as it was written down, and remember it unless some of that is missing."""
        tree = _read(folder)
        if tree.image != _NONE:
            self._known[folder.name] = tree
        return tree


def _read(folder: Path) -> StoredTree:
    try:
        with open(f"{folder}/below", "rb", buffering=0) as file:  # noqa: PTH123 - half the time, and there may be a thousand
            *below, image = file.read().decode("ascii").split(":")
    except FileNotFoundError:  # a run was killed while it made this one
        below, image = [], _NONE
    return StoredTree(folder, image, tuple(below))


def _gone(tree_id: str) -> ImageGoneError:
    return ImageGoneError("image-gone", f"the files of {tree_id} are no longer in the store")


def _relative(folder: Path, name: str) -> str:
    """Return a tree's folder relative to those of layers, which holds wherever the store is moved to."""
    return f"../zbuild/{folder.parent.name}/{folder.name}/{name}"


def _own_size(folder: Path) -> int:
    try:
        return int((folder / "size").read_text(encoding="ascii"))
    except FileNotFoundError:
        return 0
