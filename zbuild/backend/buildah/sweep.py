"""Removes what dead runs have left in the store: containers, images of our own naming, half-recorded images."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from zbuild.backend.buildah.lists import is_bare
from zbuild.backend.buildah.lists import remove as remove_all
from zbuild.backend.memory import leftovers, remove
from zbuild.backend.proc import end_family, leaders_naming

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.store import StoredImage
    from zbuild.backend.buildah.trees import Trees
    from zbuild.backend.protocol import Unfinished

_GRACE = 1.0


def sweep(engine: Engine, trees: Trees, keep: Collection[str], unfinished: Sequence[Unfinished]) -> tuple[str, ...]:
    """Remove leftovers and say what they were, but for bare lists. Starts no process when there are none."""
    names = _containers(engine)
    for name in names:
        # A run that was killed leaves its buildah running, which would go on writing to the container.
        for leader in leaders_naming(name):
            end_family(leader, _GRACE)
        engine.runtime.clean(engine.runner, name)
        engine.overlay.unmount(name)
    engine.discard(*names)
    _forget(engine)
    gone = trees.sweep(keep)
    images = _images(engine, trees.bottoms().union(keep), unfinished, set(map(engine.names.image, trees.stored())))
    remove_all(engine, [image.id for image in images])
    # A list is made anew in no time, and bare as soon as its tags have moved: that is nothing to tell of.
    told = (image for image in images if not is_bare(engine, image))
    removed_images = (f"image {image.names[0] if image.names else image.id[:12]}" for image in told)
    return (*(f"container {name}" for name in names), *gone, *removed_images)


def _forget(engine: Engine) -> None:
    """Remove secrets from the memory, and end agents that hold keys."""
    for folder, name in leftovers(engine.names.container_prefix).items():
        for place in folder.iterdir():
            for leader in leaders_naming(str(place)):
                end_family(leader, _GRACE)
        replace(engine.runtime, runroot=folder).clean(engine.runner, name)
        remove(folder)


def _containers(engine: Engine) -> list[str]:
    """Return the names of our containers, of buildah and of the runtime, and of what is mounted for them."""
    prefix = engine.names.container_prefix
    stored = {name for found in engine.store.containers() for name in found.names if name.startswith(prefix)}
    return sorted(stored | engine.overlay.leftovers(prefix) | engine.runtime.leftovers(prefix))


def _images(
    engine: Engine, keep: Collection[str], unfinished: Sequence[Unfinished], names: Collection[str]
) -> list[StoredImage]:
    """Return the images to remove: none to be kept, nor any with one of these names."""
    stored = engine.store.images().values()
    images = [image for image in stored if image.id not in keep and not any(name in names for name in image.names)]
    return [image for image in images if _is_own(engine, image) or any(_is_of(image, order) for order in unfinished)]


def _is_own(engine: Engine, image: StoredImage) -> bool:
    """Tell whether all names of an image are ours; one that a user has named since is the user's."""
    prefix = engine.names.image_prefix
    return bool(image.names) and all(name.startswith(prefix) for name in image.names)


def _is_of(image: StoredImage, order: Unfinished) -> bool:
    """Tell whether an image came of an order: it has one of its names and was not there when it began."""
    created = datetime.fromisoformat(image.created).timestamp() if image.created else 0.0
    return bool(set(order.names) & set(image.names)) and created >= order.started
