"""Layers made into one must do what they did one on top of the other; the judge applies whiteouts naively."""

from __future__ import annotations

import io
import posixpath
import tarfile
from typing import TYPE_CHECKING, TypeAlias

import pytest

from zbuild.oci.squash import merge

if TYPE_CHECKING:
    from collections.abc import Callable

# A path with its content: a folder None, a hard link `=target`, else the file's text.
Layer: TypeAlias = "list[tuple[str, str | None]]"


def packed(layer: Layer) -> tarfile.TarFile:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, text in layer:
            info = tarfile.TarInfo(name)
            if text is None:
                info.type = tarfile.DIRTYPE
            elif text.startswith("="):
                info.type, info.linkname = tarfile.LNKTYPE, text[1:]
            else:
                info.size = len(text)
            tar.addfile(info, io.BytesIO((text or "").encode()) if info.isreg() else None)
    data.seek(0)
    return tarfile.open(fileobj=data)


def unpacked(*layers: tarfile.TarFile) -> dict[str, str | None]:
    """Apply layers as the specification says."""
    found: dict[str, str | None] = {}
    for tar in layers:
        names = [info.name for info in tar]
        for name in names:
            folder, base = posixpath.split(name)
            if base == ".wh..wh..opq":
                drop(found, folder, keep_itself=True)
            elif base.startswith(".wh."):
                drop(found, posixpath.join(folder, base[4:]))
        for info in tar:
            if not posixpath.basename(info.name).startswith(".wh."):
                if not info.isdir():
                    drop(found, info.name)
                elif found.get(info.name) is not None:
                    del found[info.name]
                text = found[info.linkname] if info.islnk() else None
                content = tar.extractfile(info) if info.isreg() else None
                found[info.name] = content.read().decode() if content else text
    return found


def drop(found: dict[str, str | None], path: str, *, keep_itself: bool = False) -> None:
    for name in list(found):
        if name.startswith(f"{path}/") or (name == path and not keep_itself):
            del found[name]


CASES: dict[str, list[Layer]] = {
    "the upper file holds": [[("a", "1"), ("b", "1")], [("a", "2")]],
    "what is removed is gone": [[("d", None), ("d/a", "1"), ("d/b", "1")], [("d", None), ("d/.wh.a", "")]],
    "and comes back": [[("a", "1")], [(".wh.a", "")], [("a", "3")]],
    "a folder of the base is removed": [[(".wh.base", "")], [("x", "1")]],
    "and made again": [[("x", "1")], [(".wh.base", "")], [("base", None), ("base/new", "1")]],
    "a folder is emptied": [
        [("base", None), ("base/a", "1")],
        [("base", None), ("base/.wh..wh..opq", ""), ("base/b", "2")],
    ],
    "a file becomes a folder": [[("a", "1")], [("a", None), ("a/b", "2")]],
    "a folder becomes a file": [[("base", None), ("base/a", "1")], [("base", "file")]],
    "what is removed twice": [[(".wh.base", "")], [("base", None)], [(".wh.base", "")]],
    "links hold together": [[("z", "1"), ("a", "=z")], [("other", "2")]],
    "a link whose target changed": [[("z", "1"), ("a", "=z"), ("b", "=z")], [("z", "2")]],
    "a link whose target is gone": [[("z", "1"), ("a", "=z")], [(".wh.z", "")]],
}
BASE: Layer = [("base", None), ("base/old", "0"), ("base/file", "0"), ("keep", "0"), ("a", "0")]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("base", [BASE, []], ids=["upon a base", "upon nothing"])
def test_one_layer_does_what_several_did(name: str, base: Layer) -> None:
    paths = dict(base)
    made, digest = merged(CASES[name], paths.__contains__)
    assert digest.startswith("sha256:")
    assert unpacked(packed(base), made) == unpacked(packed(base), *map(packed, CASES[name]))
    hidden = [member for member in made.getnames() if posixpath.basename(member).startswith(".wh.")]
    assert hidden == [] or base


def merged(layers: list[Layer], is_below: Callable[[str], bool]) -> tuple[tarfile.TarFile, str]:
    out = io.BytesIO()
    digest = merge([packed(layer) for layer in layers], out, is_below)
    out.seek(0)
    return tarfile.open(fileobj=out), digest


def test_folders_come_before_what_is_in_them_and_links_last() -> None:
    layers: list[Layer] = [[("d", None), ("d/z", "1"), ("d/a", "=d/z")], [("c", None), ("c/x", "1")]]
    made, _ = merged(layers, lambda _: False)
    assert made.getnames() == ["c", "c/x", "d", "d/z", "d/a"]
