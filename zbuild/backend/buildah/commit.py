"""Makes images of working containers, durable on return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.syncfs import syncfs
from zbuild.backend.buildah.traces import forget_base_name, without_container
from zbuild.backend.buildah.twins import make_twin
from zbuild.base.errors import BackendError, ImageGoneError, InterruptedBuildError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.backend.buildah.container import Container
    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.store import StoredImage
    from zbuild.backend.protocol import StageBuild


def commit(engine: Engine, order: StageBuild, container: Container, names: Sequence[str]) -> StoredImage:
    """Make an image of an order's container under all the names; what a failed commit leaves is removed.

    Raises BackendError, InterruptedBuildError.
    """
    if order.epoch is not None and order.format == "docker":
        draft_names = (engine.names.image(f"draft-{names[0]}"),)
        draft = commit_as(engine, container, draft_names, order.format, order.epoch)
        image_id = _from_draft(engine, draft, names)
    else:
        image_id = commit_as(engine, container, names, order.format, order.epoch)
    syncfs(engine.facts.graphroot)
    return engine.store.image(image_id)


def commit_as(
    engine: Engine, container: Container, names: Sequence[str], image_format: str, epoch: int | None = None
) -> str:
    """Commit under the first name and add the others; return the id of the image, which need not be on the disk yet.

    What a failed commit leaves is removed. Raises BackendError, InterruptedBuildError.
    """
    name, *others = names
    before = frozenset(engine.store.images())
    container.release()
    if epoch is not None:
        forget_base_name(engine.store.container_folder(container.id))
    try:
        image_id = engine.call(commands.commit(container.name, name, image_format, epoch))
    except (BackendError, InterruptedBuildError):
        _remove_partial(engine, before)
        raise
    container.committed()
    if others:
        engine.call(commands.tag(image_id, others))
    return image_id.removeprefix("sha256:")


def _from_draft(engine: Engine, draft: str, names: Sequence[str]) -> str:
    """Put in the place of an image, which tells of its container, one that does not; return its id."""
    image_id = make_twin(engine, without_container(engine.store.config(draft)), engine.store.manifest(draft))
    engine.call(commands.tag(image_id, names))
    engine.call(commands.remove_images([draft]))
    return image_id


def _remove_partial(engine: Engine, before: frozenset[str]) -> None:
    """Remove images that came since, have no name and no config: a full disk leaves such a one for good."""
    for image_id, image in engine.store.images().items():
        if image_id in before or image.names:
            continue
        try:
            engine.store.config(image_id)
        except ImageGoneError:
            engine.runner.run(commands.remove_images([image_id]), cleanup=True)
