"""Squashed results: what a build of an image has laid upon its base, as one layer."""

from __future__ import annotations

import os
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.faults import system_error
from zbuild.base.errors import BackendError
from zbuild.graph.types import FromVertex
from zbuild.oci.layout import Layout, LayoutError
from zbuild.oci.squash import squash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zbuild.backend.protocol import Backend, BaseImage, StageBuild, StageResult
    from zbuild.plan.describe import Described


def own_root(described: Described, stages: Mapping[str, Described]) -> Described:
    """Return the first of the stages of one image that stand on one another up to this one."""
    root = described
    while isinstance(root.vertex.base, FromVertex):
        below = stages[root.vertex.base.vertex]
        if below.vertex.image != root.vertex.image:
            break
        root = below
    return root


def squashed(backend: Backend, order: StageBuild, result: StageResult, base: BaseImage | None) -> StageResult:
    """Return a result with one layer in the place of all above the base's; the image it was is removed.

    Raises BackendError, ImageGoneError.
    """
    below = len(base.diff_ids) if base else 0
    if len(result.diff_ids) <= below + 1:
        return result
    root = backend.root(base.image_id) if base else b""
    try:
        with tempfile.TemporaryDirectory(prefix="zbuild-") as place:
            folder = Path(place)
            (digest,) = backend.export([result.image_id], folder, without=result.diff_ids[:below])
            layout = Layout(folder)
            made = squash(layout, digest, below, lambda path: bool(root) and _is_there(root, path))
            sizes = [layout.blob(layer).stat().st_size for layer in (*result.diff_ids[below:], made.diff_ids[-1])]
            image_id = backend.load(folder, made.digest, order.key, order.names)
    except (LayoutError, tarfile.TarError) as error:
        raise BackendError("cannot-squash", f"cannot squash {order.stage}: {error}") from error
    except OSError as error:
        raise system_error(error, f"cannot squash {order.stage}") from error
    if not backend.images().get(result.image_id):  # reproducibly built, it can be that of another stage
        backend.remove([result.image_id])
    return replace(
        result,
        image_id=image_id,
        digest=made.digest,
        diff_ids=made.diff_ids,
        size=result.size - sum(sizes[:-1]) + sizes[-1],
        layer_count=below + 1,
    )


def _is_there(root: bytes, path: str) -> bool:
    """Tell whether an image's files have a path; no link is followed."""
    place = root
    for part in path.split("/"):
        if os.path.islink(place) and place != root:  # noqa: PTH114 - names are bytes
            return False
        place = os.path.join(place, os.fsencode(part))  # noqa: PTH118 - likewise
    return os.path.lexists(place)
