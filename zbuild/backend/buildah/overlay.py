"""Mounts the roots of containers and images as buildah does, without asking it: under a millisecond where it takes 17.

    <graphroot>/overlay/<layer>/diff, work    what a layer changes, and what the kernel needs beside it
    <graphroot>/overlay/<layer>/link          its short name in l/
    <graphroot>/overlay/<layer>/lower         those of the layers below, from the top: l/A:l/B
    <runroot>/zbuild/roots/<name>             where zbuild mounts

The options are those of buildah's own mounts on this machine, which the probe has read. buildah must not mount a
container at the same time: whoever calls it for one unmounts first.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

from zbuild.backend.libc import last_error, libc
from zbuild.base.dataclass import dataclass

_MNT_DETACH = 2
# mount(2) takes one page of options, which ends with a zero byte.
_MOST_OPTIONS = 4095
_ATTEMPTS = 20
_PAUSE = 0.005
_SPECIAL = frozenset(":,\\")
_PLACES_OF_LAYERS = ("lowerdir", "upperdir", "workdir")
# The options that are the same for every mount; a label (context=) is of one container.
_COMMON = frozenset({"fsync", "index", "metacopy", "nfs_export", "redirect_dir", "uuid", "volatile", "xino"})


@dataclass(frozen=True, slots=True)
class Overlay:
    """The layers of a store (`home`), the folder that roots are mounted in, and the options of buildah's mounts.

    Methods raise OSError as the system calls do.
    """

    home: Path
    places: Path
    options: tuple[str, ...] = ()

    def mount_container(self, name: str, layer: str) -> bytes | None:
        """Mount a container's layer, or another folder like it, to be written; None where that is left to buildah."""
        return self._mount(name, self._below(layer) or [f"{layer}/empty"], layer)

    def mount_image(self, name: str, layer: str) -> bytes | None:
        """Mount an image's layers, to be read; `layer` is the top, "" for none. None where it is left to buildah."""
        return self.mount_layers(name, self.layers(layer))

    def mount_layers(self, name: str, layers: list[str]) -> bytes | None:
        """Mount folders, the first of which is the top, to be read; None where it is left to buildah."""
        empty = self.places / "empty"
        empty.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not layers:
            return bytes(empty)
        return self._mount(name, layers if len(layers) > 1 else [*layers, str(empty)])  # the kernel wants two

    def layers(self, layer: str) -> list[str]:
        """Return the folders of a layer ("": of none) and of those below it, the topmost first, relative to `home`."""
        if not layer:
            return []
        return [f"l/{(self.home / layer / 'link').read_text(encoding='ascii')}", *self._below(layer)]

    def full(self, folder: str) -> str:
        """Return the path of a folder that is given relative to `home`; one of a tree leads out of it."""
        return os.path.normpath(os.path.join(self.home, folder))  # noqa: PTH118 - pathlib keeps `..`, and options are short

    def unmount(self, name: str, layer: str = "") -> None:
        """Unmount what is mounted under a name; `layer` is a container's, which can then be mounted again."""
        place = self.places / name
        if not place.is_dir():
            return
        _unmount(place)
        place.rmdir()
        if layer:
            self._forget_volatile(layer)

    def leftovers(self, prefix: str) -> set[str]:
        """Return the names, of those that begin with `prefix`, under which something is mounted."""
        places = self.places.iterdir() if self.places.is_dir() else ()
        return {place.name for place in places if place.name.startswith(prefix)}

    def _forget_volatile(self, layer: str) -> None:
        """Remove the mark by which the kernel refuses to mount again what was mounted as volatile."""
        shutil.rmtree(self.home / layer / "work/work/incompat/volatile", ignore_errors=True)

    def _below(self, layer: str) -> list[str]:
        try:
            return (self.home / layer / "lower").read_text(encoding="ascii").split(":")
        except FileNotFoundError:
            return []

    def _mount(self, name: str, lower: list[str], layer: str = "") -> bytes | None:
        """Mount `lower`, from the top; with `layer` that takes what is written. None where it does not work.

        While any buildah runs, it has `home` mounted upon itself. When it unmounts that between the kernel's finding a
        layer there and its taking it, the answer is EINVAL, and another attempt finds the layer beneath.
        """
        lower = list(map(self.full, lower))
        if not all(map(os.path.exists, lower)):  # layers of another store that this one reads
            return None
        own = (f"upperdir={self.home / layer}/diff", f"workdir={self.home / layer}/work") if layer else ()
        options = ",".join((f"lowerdir={':'.join(lower)}", *own, *self.options)).encode()
        if len(options) > _MOST_OPTIONS or _SPECIAL & set(str(self.home)):
            return None
        place = self.places / name
        self.places.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.mkdir(mode=0o700)
        for _ in range(_ATTEMPTS):
            if layer:
                self._forget_volatile(layer)
            if not libc().mount(b"overlay", bytes(place), b"overlay", 0, options):
                return bytes(place)
            time.sleep(_PAUSE)
        place.rmdir()
        return None


def overlay_of(graphroot: Path, runroot: Path, options: tuple[str, ...] = ()) -> Overlay:
    """Return the overlay of a store."""
    return Overlay(graphroot / "overlay", runroot / "zbuild/roots", options)


def mount_options(root: bytes) -> tuple[str, ...] | None:
    """Return the options that an overlay mount has in common with others; None for other mounts, and unknown options.

    As `/proc/self/mountinfo` has it (proc(5)): the kernel's options stand last in a line, after a dash and the type.
    """
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        fields, _, file_system = line.partition(b" - ")
        kind, _, options = file_system.split(b" ", 2)
        if fields.split(b" ")[4] == root and kind == b"overlay":
            writable, *given = options.decode().split(",")
            names = {option.partition("=")[0] for option in given}
            own = [option for option in given if option.partition("=")[0] in _COMMON]
            return tuple(own) if writable == "rw" and names <= _COMMON.union(_PLACES_OF_LAYERS) else None
    return None


def _unmount(place: Path) -> None:
    # EINVAL: nothing is mounted there, of a run that was killed between the two.
    if libc().umount2(bytes(place), _MNT_DETACH) and (error := last_error(str(place))).errno != errno.EINVAL:
        raise error
