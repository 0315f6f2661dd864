"""Digests of layers against the kernel's own overlay: what they say is equal must look equal to whoever is above."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.image_tree import describe_tree

from zbuild.backend.layer_digest import digest_layers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NAMES = ["a", "b", "a/c", "a/d", "a/c/e", "f"]
EDITS = st.tuples(st.sampled_from(["write", "mkdir", "remove", "link", "hard", "chmod"]), *[st.sampled_from(NAMES)] * 2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    (folder / "a/c").mkdir(parents=True)
    for name in ("a/d", "a/c/e", "f"):
        (folder / name).write_text(f"base {name}")
    return folder


@contextmanager
def mounted(place: Path, lower: Sequence[Path], upper: Path | None = None) -> Iterator[Path]:
    options = f"lowerdir={':'.join(map(str, lower))}"
    if upper:
        work = place.parent / f"{upper.name}.work"
        work.mkdir()
        options += f",upperdir={upper},workdir={work}"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def apply(root: Path, edit: tuple[str, str, str]) -> None:
    """Carry out an edit; what cannot be done in the tree as it stands is no edit."""
    action, name, other = edit
    path = root / name
    with suppress(OSError):
        if action == "write":
            path.write_text(other)
        elif action == "mkdir":
            path.mkdir()
        elif action == "remove":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        elif action == "link":
            path.symlink_to(other)
        elif action == "hard":
            os.link(path, root / other, follow_symlinks=False)
        elif action == "chmod" and not path.is_symlink():
            path.chmod(0o700 | len(other))


def layered(folder: Path, base: Path, parts: Sequence[Sequence[tuple[str, str, str]]]) -> tuple[str, dict[str, object]]:
    """Carry out edits, a layer for each part; return the layers' digest and what the tree then looks like."""
    layers: list[Path] = []
    folder.mkdir()
    for number, part in enumerate(parts):
        upper = folder / f"layer{number}"
        upper.mkdir()
        with mounted(folder / "root", [*reversed(layers), base], upper) as root:
            for edit in part:
                apply(root, edit)
        layers.append(upper)
    with mounted(folder / "root", [*reversed(layers), base]) as root:
        tree = dict(describe_tree(root))
    return digest_layers(map(bytes, layers)), tree


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(one=st.lists(st.lists(EDITS, max_size=4), min_size=1, max_size=3), two=st.lists(EDITS, max_size=3))
def test_equal_digests_mean_equal_trees(tmp_path_factory, base, one, two) -> None:
    folder = tmp_path_factory.mktemp("layers")
    whole = [edit for part in one for edit in part]
    results = [
        layered(folder / "split", base, one),
        layered(folder / "whole", base, [whole]),
        layered(folder / "more", base, [*one, two]),
        layered(folder / "again", base, one),
    ]
    trees: dict[str, object] = {}
    for digest, tree in results:
        assert trees.setdefault(digest, tree) == tree
    assert results[0] == results[3]
    if not any(action == "remove" for action, *_ in whole):
        assert results[0] == results[1]


def test_what_only_the_kernel_tells_of_a_file_counts(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "f").write_text("x")
    os.link(layer / "f", layer / "g")
    digests = {digest_layers([bytes(layer)])}
    os.setxattr(layer / "f", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    digests.add(digest_layers([bytes(layer)]))
    (layer / "g").unlink()
    shutil.copy2(layer / "f", layer / "g")
    digests.add(digest_layers([bytes(layer)]))
    os.mknod(layer / "n", 0o60600, os.makedev(8, 1))
    digests.add(digest_layers([bytes(layer)]))
    (layer / "n").unlink()
    os.mknod(layer / "n", 0o60600, os.makedev(8, 2))
    digests.add(digest_layers([bytes(layer)]))
    os.chown(layer / "f", 1, 2)
    digests.add(digest_layers([bytes(layer)]))
    assert len(digests) == 6
    os.utime(layer / "f", (1, 1))
    assert digest_layers([bytes(layer)]) in digests


def test_names_outside_of_a_layer_change_nothing(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "b").write_text("x")
    alone = digest_layers([bytes(layer)])
    os.link(layer / "b", tmp_path / "outside")
    assert digest_layers([bytes(layer)]) == alone
    os.link(layer / "b", layer / "a")
    linked = digest_layers([bytes(layer)])
    (layer / "a").unlink()
    (layer / "a").write_text("x")
    assert digest_layers([bytes(layer)]) != linked
