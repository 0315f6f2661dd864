"""Mounts an image's layers as they lie in the store, for reading: a few milliseconds, where a container costs fifty."""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def mounted_layers(graphroot: Path, layer: str) -> Iterator[Path]:
    """Mount a layer of an overlay store with all below it; what the kernel shows is what a container would see."""
    links = [f"l/{(graphroot / 'overlay' / name / 'link').read_text()}" for name in _chain(graphroot, layer)]
    with tempfile.TemporaryDirectory() as folder:
        empty, place = Path(folder, "empty"), Path(folder, "root")
        empty.mkdir()
        place.mkdir()
        lower = ":".join((*links, str(empty)))  # relative to the store, as the options have to fit into one page
        argv = ["mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={lower}", str(place)]
        subprocess.run(argv, cwd=graphroot / "overlay", check=True, capture_output=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", str(place)], check=True)


def _chain(graphroot: Path, layer: str) -> Iterator[str]:
    layers = json.loads((graphroot / "overlay-layers" / "layers.json").read_bytes())
    parents = {entry["id"]: entry.get("parent", "") for entry in layers}
    while layer:
        yield layer
        layer = parents[layer]
