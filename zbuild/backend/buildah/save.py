"""Images and lists out of the store, into files and folders of other tools' formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.buildah.lists import is_list
from zbuild.backend.command import Command
from zbuild.backend.faults import says_disk_full
from zbuild.backend.registry_faults import said
from zbuild.base.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.protocol import Packaging


def save(engine: Engine, image_id: str, packaging: Packaging, path: str, names: Sequence[str]) -> None:
    """Write an image to a path that is not there yet. Raises ImageGoneError, BackendError, InterruptedBuildError."""
    whole = is_list(engine.store.manifest(image_id))
    if packaging == "docker-archive":
        command = _docker_archive(image_id, path, names)
    elif whole:
        command = Command(("buildah", "manifest", "push", "--all", "--quiet", image_id, _place(packaging, path, names)))
    else:
        command = Command(("buildah", "push", "--quiet", image_id, _place(packaging, path, names)))
    done = engine.runner.run(command)
    if done.returncode:
        cause = said(done.stderr) or f"exit code {done.returncode}"
        code = "disk-full" if says_disk_full(done.stderr) else "cannot-save"
        raise BackendError(code, f"cannot write {path}: {cause}")


def _place(packaging: Packaging, path: str, names: Sequence[str]) -> str:
    """Return where to, in the words of buildah's transports; a folder of type `dir` knows no names."""
    name = f":{names[0]}" if names and packaging != "dir" else ""
    return f"{packaging}:{path}{name}"


def _docker_archive(image_id: str, path: str, names: Sequence[str]) -> Command:
    """Return the command for the format of `docker save`, which alone holds several names; skopeo writes them all."""
    more = [word for name in names[1:] for word in ("--additional-tag", name)]
    target = _place("docker-archive", path, names)
    return Command(("skopeo", "copy", "--quiet", *more, f"containers-storage:@{image_id}", target))
