"""Built images written to files and folders, or given to docker."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.api.push import whole_image
from zbuild.backend.command import Command
from zbuild.backend.faults import system_error
from zbuild.backend.process import Runner
from zbuild.base.errors import BackendError, UsageError
from zbuild.events.types import Notice
from zbuild.execution.signals import Interruption

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zbuild.api.build import Build
    from zbuild.api.session import Session
    from zbuild.backend.protocol import Packaging
    from zbuild.events.bus import Emit
    from zbuild.graph.types import Graph, ImageNode
    from zbuild.syntax.outputs import Output


def check_outputs(graph: Graph, outputs: Sequence[Output]) -> None:
    """See that outputs can be written, before anything is built. Raises UsageError and BackendError."""
    nodes = [node for node in graph.images if node.name in graph.targets]
    for output in outputs:
        if output.dest and len(nodes) != 1:
            message = f"--output {output.dest} is for one image, but there are several targets"
            raise UsageError("output-of-many", message, hint="name one target")
        if output.kind in ("docker", "tar") and any(len(node.vertices) > 1 for node in nodes):
            message = f"an output of type {output.kind} holds one platform, and there are several"
            raise UsageError("output-of-many", message, hint="name one with --platform, or use type=oci")
        if not output.dest and shutil.which("docker") is None:
            podman = " (podman has it already: it shares the store with buildah)" if shutil.which("podman") else ""
            hint = "install docker's client, or write an archive: --output type=docker,dest=FILE"
            raise BackendError("tool-missing", f"there is no docker to load the image into{podman}", hint=hint)


def write_outputs(graph: Graph, session: Session, build: Build, outputs: Sequence[Output], emit: Emit) -> None:
    """Write the targets. Raises BackendError, UsageError, ImageGoneError, InterruptedBuildError."""
    runner = Runner()
    writer = _Writer(session, build, runner)

    def stop() -> None:
        session.cancel()
        runner.cancel()

    with Interruption(lambda: None, stop):
        for node in graph.images:
            for output in outputs if node.name in graph.targets else ():
                writer.write(node, output)
                emit(Notice(f"{node.name}: {'written to ' + output.dest if output.dest else 'loaded into docker'}"))


class _Writer:
    """Writes images; files and folders appear whole or not at all, but for `local`, which adds to a folder."""

    def __init__(self, session: Session, build: Build, runner: Runner) -> None:
        self._session = session
        self._build = build
        self._runner = runner

    def write(self, node: ImageNode, output: Output) -> None:
        match output.kind:
            case "local":
                self._write_files(node, Path(output.dest))
            case "tar":
                with _fresh(Path(output.dest)) as path:
                    root = os.fsdecode(self._session.backend.root(self._results(node)[0]))
                    flags = ("--numeric-owner", "--xattrs", "--sort=name", "-C", root)
                    self._call(Command(("tar", *flags, "-cf", str(path), ".")), output.dest)
            case "docker" if not output.dest:
                with tempfile.TemporaryDirectory(prefix="zbuild-") as folder:
                    path = Path(folder, "image.tar")
                    self._save(node, "docker-archive", path)
                    self._call(Command(("docker", "load", "--quiet", "--input", str(path))), "docker")
            case "docker":
                self._save_fresh(node, "docker-archive", output)
            case "oci":
                self._save_fresh(node, "oci-archive" if output.archive else "oci", output)
            case "dir":
                self._save_fresh(node, "dir", output)

    def _results(self, node: ImageNode) -> list[str]:
        return [self._build.finished[name].record.image_id for name in node.vertices]

    def _save_fresh(self, node: ImageNode, packaging: Packaging, output: Output) -> None:
        with _fresh(Path(output.dest)) as path:
            self._save(node, packaging, path)

    def _save(self, node: ImageNode, packaging: Packaging, path: Path) -> None:
        names = [tag.removeprefix("localhost/") for tag in self._build.tags_of(node)]
        image_id = whole_image(self._results(node), self._session)
        self._session.backend.save(image_id, packaging, str(path), [_tagged(name) for name in names])

    def _write_files(self, node: ImageNode, folder: Path) -> None:
        """Copy an image's files into a folder; those of several platforms into folders in it, named as buildx does."""
        for vertex, image_id in zip(node.vertices, self._results(node), strict=True):
            platform = self._build.decisions[vertex].described.vertex.platform
            place = folder / str(platform).replace("/", "_") if len(node.vertices) > 1 else folder
            place.mkdir(parents=True, exist_ok=True)
            root = os.fsdecode(self._session.backend.root(image_id))
            self._call(Command(("cp", "-a", "--", f"{root}/.", str(place))), str(folder))

    def _call(self, command: Command, place: str) -> None:
        done = self._runner.run(command)
        if done.returncode:
            raise BackendError("cannot-save", f"cannot write {place}: {' '.join(done.stderr)}")


def _tagged(name: str) -> str:
    """Return a name with its tag: archives have no `latest` by themselves."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


@contextmanager
def _fresh(wanted: Path) -> Iterator[Path]:
    """Yield a path that takes the place of the one wanted in the end; of what fails nothing is left."""
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{wanted.name}.", dir=wanted.parent) as folder:
            path = Path(folder, "image")
            yield path
            _clear(wanted)
            path.replace(wanted)
    except OSError as error:
        raise system_error(error, f"cannot write {wanted}") from error


def _clear(place: Path) -> None:
    """Remove a folder that an earlier image was written to, or an empty one. Raises UsageError for any other."""
    if not place.is_dir() or place.is_symlink():
        return
    names = {path.name for path in place.iterdir()}
    if names and not names & {"oci-layout", "version"}:
        hint = "name another place, or remove the folder"
        raise UsageError("output-exists", f"{place} is a folder, and no image was written there", hint=hint)
    shutil.rmtree(place)
