"""Generates the work that is measured: workspaces whose images every builder can build from the same Dockerfiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BASE = "localhost/bench/base:1"
_FILES_PER_IMAGE = 8


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its context, its tag, and after how many others it can be built."""

    context: Path
    tag: str
    level: int


@dataclass(frozen=True, slots=True)
class Work:
    """A workspace. `leaf` is a source file of one last image, `shared` one of the image that all others stand on.

    `change` is what a numbered change makes of such a file.
    """

    name: str
    title: str
    root: Path
    images: tuple[Image, ...]
    leaf: Path
    shared: Path
    stages: int
    change: str = "change {}\n"


def chain(root: Path, count: int = 20) -> Work:
    """Each image stands on the one before."""
    images = []
    for index in range(count):
        base = images[-1].tag if images else BASE
        images.append(_image(root, f"chain{index:02}", index, _plain(base, index)))
    return _work("chain", f"{count} images in a chain", root, images, count)


def fan(root: Path, count: int = 20) -> Work:
    """All images but the first stand on the first."""
    images = [_image(root, "shared", 0, _plain(BASE, 0))]
    images += [_image(root, f"fan{index:02}", 1, _plain(images[0].tag, index)) for index in range(1, count)]
    return _work("fan", f"{count} images in a fan", root, images, count)


def services(root: Path, count: int = 50) -> Work:
    """Images of three stages (dependencies, build, runtime), on one shared base."""
    images = [_image(root, "shared", 0, _plain(BASE, 0))]
    shared = images[0].tag
    images += [_image(root, f"service{index:02}", 1, _three_stages(shared, index)) for index in range(count)]
    return _work("services", f"{count} images × 3 stages", root, images, 3 * count + 1)


def files(root: Path, folders: int = 400, per_folder: int = 50) -> Work:
    """One image that copies very many small files."""
    image = _image(root, "files", 0, f"FROM {BASE}\nCOPY src/ /src/\n")
    for folder in range(folders):
        path = image.context / "src" / f"d{folder:03}"
        path.mkdir()
        for index in range(per_folder):
            (path / f"f{index:02}.txt").write_text(f"file {index} of {folder}\n" * 4)
    return _work("files", f"COPY of {folders * per_folder:,} files", root, [image], 1)


def steps(root: Path, megabytes: int = 300) -> Work:
    """One stage of ten steps, of which the first makes a large layer; what changes is the seventh."""
    quick = [f"RUN echo {index} > /step{index}" for index in range(2, 11)]
    quick[5] = "RUN echo {} > /step7"
    large = f"RUN busybox dd if=/dev/zero of=/large bs=1M count={megabytes}"
    text = "\n".join([f"FROM {BASE}", large, *quick, ""])
    image = _image(root, "steps", 0, text.format(0))
    work = _work("steps", f"10 steps, {megabytes} MB in the first", root, [image], 1)
    return replace(work, leaf=image.context / "Dockerfile", change=text)


def single(root: Path) -> Work:
    """One small image: what it costs to start and find nothing to do."""
    return _work("single", "one image", root, [_image(root, "single", 0, _plain(BASE, 0))], 1)


WORKS: dict[str, Callable[[Path], Work]] = {
    "single": single,
    "chain": chain,
    "fan": fan,
    "services": services,
    "files": files,
    "steps": steps,
}


def _plain(base: str, index: int) -> str:
    return f"FROM {base}\nCOPY src/ /src/{index}/\nRUN cat /src/{index}/* > /built{index}\n"


def _three_stages(base: str, index: int) -> str:
    return f"""\
FROM {base} AS deps
COPY src/file0.txt /deps/
RUN cat /deps/* > /dependencies

FROM deps AS build
COPY src/ /own/
RUN cat /own/* /dependencies > /program{index}

FROM {base}
COPY --from=build /program{index} /bin/
CMD ["/bin/program{index}"]
"""


def _image(root: Path, name: str, level: int, dockerfile: str) -> Image:
    context = root / name
    source = context / "src"
    source.mkdir(parents=True)
    for index in range(_FILES_PER_IMAGE):
        (source / f"file{index}.txt").write_text(f"line of {name}, file {index}\n" * 20)
    (context / "Dockerfile").write_text(dockerfile)
    return Image(context, f"localhost/bench/{name}:1", level)


def _work(name: str, title: str, root: Path, images: list[Image], stages: int) -> Work:
    listed = (f"  {image.context.name}: {{context: {image.context.name}, tags: [{image.tag}]}}\n" for image in images)
    (root / "zbuild.yaml").write_text("images:\n" + "".join(listed))
    changed = f"src/file{_FILES_PER_IMAGE - 1}.txt"
    return Work(name, title, root, tuple(images), images[-1].context / changed, images[0].context / changed, stages)
