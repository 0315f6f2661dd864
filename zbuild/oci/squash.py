"""Several layers made into one (OCI image spec, layer.md: whiteouts)."""

from __future__ import annotations

import copy
import hashlib
import json
import posixpath
import tarfile
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, NamedTuple

from zbuild.oci.layout import ImageBlobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from zbuild.oci.layout import Descriptor, Layout

_HIDES = ".wh."
_OPAQUE = ".wh..wh..opq"


def squash(layout: Layout, digest: str, below: int, is_below: Callable[[str], bool]) -> ImageBlobs:
    """Make one layer of all layers of a layout's image above the lowest `below`; return the image, which is added.

    The image's layers are plain tars; `is_below` tells whether the lowest ones have a path. Raises LayoutError,
    OSError, and tarfile.TarError for a layer that is no tar.
    """
    image = layout.image(digest)
    with ExitStack() as stack:
        tars = [stack.enter_context(tarfile.open(layout.blob(layer))) for layer in image.diff_ids[below:]]
        place = layout.put_by(lambda file: merge(tars, file, is_below))
    made = _with_one(image, below, f"sha256:{place.name}", place.stat().st_size)
    layout.add(made)
    return made


def _with_one(image: ImageBlobs, below: int, layer: str, size: int) -> ImageBlobs:
    """Return an image with one layer above its lowest ones."""
    config = json.loads(image.config)
    config["rootfs"]["diff_ids"] = [*image.diff_ids[:below], layer]
    history = _history_below(config.get("history") or [], below)
    created = {"created": config["created"]} if "created" in config else {}
    config["history"] = [*history, {**created, "created_by": "zbuild: squashed"}]
    data = json.dumps(config).encode()
    manifest = json.loads(image.manifest)
    descriptor: Descriptor = {**image.layers[-1], "digest": layer, "size": size}
    made = ImageBlobs(b"", data)
    manifest["config"] |= {"digest": f"sha256:{made.image_id}", "size": len(data)}
    manifest["layers"] = [*image.layers[:below], descriptor]
    return ImageBlobs(json.dumps(manifest).encode(), data)


def _history_below(history: list[dict[str, object]], below: int) -> list[dict[str, object]]:
    """Return what is told of the lowest layers."""
    kept: list[dict[str, object]] = []
    layers = 0
    for entry in history:
        layers += not entry.get("empty_layer")
        if layers > below:
            break
        kept.append(entry)
    return kept


class _Entry(NamedTuple):
    """What is to be written under a path, and the tar that has its content."""

    path: str
    info: tarfile.TarInfo
    tar: tarfile.TarFile


def merge(tars: Sequence[tarfile.TarFile], file: IO[bytes], is_below: Callable[[str], bool]) -> str:
    """Write one tar that does what these do, one on top of the other, the lowest first; return its digest.

    What hides nothing that is below them is left out: where no folder is below, overlay file systems would show it.
    """
    found = _Merge(is_below)
    for tar in reversed(tars):
        found.add_below(tar)
    output = _Hashed(file)
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as made:  # type: ignore[call-overload] # all it needs is write
        for entry in found.in_order():
            content = entry.tar.extractfile(entry.info) if entry.info.isreg() else None
            made.addfile(_named(entry), content)
    return f"sha256:{output.hash.hexdigest()}"


def _named(entry: _Entry) -> tarfile.TarInfo:
    info = copy.copy(entry.info)
    info.name = entry.path
    info.pax_headers = {name: value for name, value in info.pax_headers.items() if name not in ("path", "linkpath")}
    return info


class _Hashed:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self._file.write(data)


class _Merge:
    """What of the layers seen so far, from the top, is to be written."""

    def __init__(self, is_below: Callable[[str], bool]) -> None:
        self._is_below = is_below
        self._entries: dict[str, _Entry] = {}
        self._marks: dict[str, _Entry] = {}
        self._hidden: set[str] = set()  # nothing of lower layers is seen there, or below
        self._opaque: set[str] = set()  # nothing of lower layers is seen below

    def add_below(self, tar: tarfile.TarFile) -> None:
        """Add the layer that lies below all added before."""
        whiteouts: list[tuple[str, _Entry]] = []
        added: dict[str, _Entry] = {}
        for info in tar:
            path = posixpath.normpath("/" + info.name)[1:] or "."
            folder, name = posixpath.split(path)
            if name.startswith(_HIDES):
                whiteouts.append((folder if name == _OPAQUE else path, _Entry(path, info, tar)))
            elif path not in self._entries and not self._is_covered(path):
                added[path] = _Entry(path, info, tar)
        self._add_links(added)
        for place, mark in whiteouts:
            self._hide(place, mark)

    def _add_links(self, added: dict[str, _Entry]) -> None:
        """Take over the entries of a layer; of hard links to what is not among them the first one is the file."""
        instead: dict[str, str] = {}
        for path, entry in added.items():
            target = posixpath.normpath("/" + entry.info.linkname)[1:] if entry.info.islnk() else ""
            if not target or target in added:
                self._entries[path] = entry
                continue
            info = copy.copy(entry.tar.getmember(entry.info.linkname))
            if target in instead:
                info = copy.copy(entry.info)
                info.linkname = instead[target]
            instead.setdefault(target, path)
            self._entries[path] = _Entry(path, info, entry.tar)

    def _hide(self, place: str, mark: _Entry) -> None:
        folder, name = posixpath.split(mark.path)
        if name == _OPAQUE:
            if self._is_below(place) and not self._is_covered(posixpath.join(place, name)):
                self._marks[mark.path] = mark
            self._opaque.add(place)
            return
        hidden = posixpath.join(folder, name.removeprefix(_HIDES))
        above = self._entries.get(hidden)
        if not self._is_below(hidden):
            pass
        elif above is not None and above.info.isdir():  # removed, and made again: what was in it must not come back
            path = posixpath.join(hidden, _OPAQUE)
            self._marks[path] = _Entry(path, mark.info, mark.tar)
        elif above is None and not self._is_covered(hidden):
            self._marks[mark.path] = mark
        self._hidden.add(hidden)

    def _is_covered(self, path: str) -> bool:
        """Tell whether a layer above hides a path, by a whiteout or by something that is no folder."""
        if path in self._hidden:
            return True
        folder = posixpath.dirname(path)
        while folder:
            above = self._entries.get(folder)
            if folder in self._hidden or folder in self._opaque or (above is not None and not above.info.isdir()):
                return True
            folder = posixpath.dirname(folder)
        return "" in self._opaque and path != "."

    def in_order(self) -> Iterator[_Entry]:
        """Yield what is to be written: folders before what is in them, hard links after all they may lead to."""
        everything = sorted({**self._entries, **self._marks}.values(), key=lambda entry: entry.path.split("/"))
        yield from (entry for entry in everything if not entry.info.islnk())
        yield from (entry for entry in everything if entry.info.islnk())
