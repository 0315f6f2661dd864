"""Takes out of images what tells of the machine that made them, and of its store.

buildah 1.28 writes down which name the base had when the container was made (in the history and in annotations: which
of its names that is depends on what else was tagged), and in images of docker's format also the container's id and a
host name made up for it.

    <graphroot>/<driver>-containers/<id>/userdata/buildah.json    what buildah knows of a working container
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zbuild.base.errors import BackendError
from zbuild.base.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

_BASE = "org.opencontainers.image.base."
_OF_CONTAINERS = ("container", "container_config")


def forget_base_name(folder: Path) -> None:
    """Let buildah call a working container's base by its id alone; `folder` is what the store keeps of the container.

    Raises BackendError when that is not as buildah writes it, OSError.
    """
    file = folder / "userdata/buildah.json"
    try:
        state = json.loads(file.read_bytes())
        nameless = {**state, "image": state.get("image-id", ""), "annotations": _less_base(state.get("annotations"))}
    except (FileNotFoundError, ValueError, AttributeError) as error:
        message = f"this buildah does not keep what it knows of a container in {file}, so no image can be reproducible"
        raise BackendError("not-reproducible", message) from error
    write_whole(file, json.dumps(nameless).encode())


def _less_base(annotations: dict[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (annotations or {}).items() if not name.startswith(_BASE)}


def without_container(config: dict[str, Any]) -> dict[str, Any]:
    """Return an image's configuration without what is of the container that it was committed from."""
    kept = {name: value for name, value in config.items() if name not in _OF_CONTAINERS}
    return {**kept, "config": {**config["config"], "Hostname": ""}}
