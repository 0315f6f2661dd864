"""Images out of the store into image layouts, and back.

Layers are put together from the store's files, each on its own; only where that cannot be does buildah write them, all
of an image at once.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.layer_tar import NoTarError, write_layer
from zbuild.backend.buildah.store import layers_of
from zbuild.backend.buildah.syncfs import syncfs
from zbuild.backend.buildah.twins import DIR_VERSION, UNPACKED
from zbuild.base.errors import BackendError
from zbuild.oci.layout import ImageBlobs, Layout, LayoutError, unpacked_image, with_layers
from zbuild.oci.media import OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.store import StoredLayer


def export(engine: Engine, image_id: str, folder: Path, without: Collection[str]) -> str:
    """Add an image to a layout and return its manifest's digest. Raises ImageGoneError, BackendError, OSError."""
    store = engine.store
    stored = store.image(image_id)
    layers = list(layers_of(stored, store.layers()))
    layout = Layout.create(folder)
    image = _unpacked(ImageBlobs(*store.image_bytes(image_id)), {layer.diff_id: layer.size for layer in layers})
    wanted = [layer for layer in layers if layer.diff_id not in without and not layout.blob(layer.diff_id).exists()]
    if not all(_put_together(engine, layer, layout) for layer in wanted):
        _export_by_buildah(engine, image_id, layout, [layer.diff_id for layer in wanted])
    layout.add(image)
    return image.digest


def _unpacked(image: ImageBlobs, sizes: dict[str, int]) -> ImageBlobs:
    """Return an image whose manifest tells of plain tars: as it is, unless it was pulled with packed ones."""
    if tuple(layer["digest"] for layer in image.layers) == image.diff_ids:
        return image
    kind = UNPACKED.get(image.media_type, UNPACKED[OCI_MANIFEST])
    layers = [{"mediaType": kind, "digest": diff_id, "size": sizes[diff_id]} for diff_id in image.diff_ids]
    return with_layers(image, layers)


def _put_together(engine: Engine, layer: StoredLayer, layout: Layout) -> bool:
    engine.runner.check()
    blob = layout.blob(layer.diff_id)
    part = blob.with_suffix(".part")
    try:
        write_layer(engine.store, layer, part)
    except NoTarError:
        return False
    part.rename(blob)
    return True


def _export_by_buildah(engine: Engine, image_id: str, layout: Layout, wanted: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="export-", dir=layout.folder) as folder:
        engine.call(commands.export_folder(image_id, folder))
        for diff_id in wanted:
            (Path(folder) / diff_id.removeprefix("sha256:")).replace(layout.blob(diff_id))


def load(engine: Engine, folder: Path, digest: str, names: Sequence[str]) -> str:
    """Bring an image of a layout into the store under names. Raises BackendError and OSError."""
    layout = Layout(folder)
    try:
        image = unpacked_image(layout, digest)
    except LayoutError as error:
        raise BackendError("bad-layout", str(error)) from error
    with tempfile.TemporaryDirectory(prefix="zbuild-") as place:
        _lay_out(layout, image, Path(place))
        image_id = engine.call(commands.pull_folder(place)).split()[-1].removeprefix("sha256:")
    engine.call(commands.tag(image_id, names))
    syncfs(engine.facts.graphroot)
    return image_id


def _lay_out(layout: Layout, image: ImageBlobs, place: Path) -> None:
    """Make a folder as the transport `dir` has it; layers that are missing there must be in the store."""
    (place / "version").write_text(DIR_VERSION)
    (place / "manifest.json").write_bytes(image.manifest)
    (place / image.image_id).write_bytes(image.config)
    for diff_id in dict.fromkeys(image.diff_ids):
        blob = layout.blob(diff_id)
        if blob.exists():
            (place / blob.name).symlink_to(blob.absolute())
