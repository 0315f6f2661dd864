"""Image layouts made here from folders: judged by skopeo and buildah, and by what concurrent writers leave."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zbuild.backend.image_json import parse_config
from zbuild.base.platform import host_platform
from zbuild.model.image_config import HealthConfig, ImageConfig
from zbuild.oci.config import encode_config
from zbuild.oci.documents import encode_json
from zbuild.oci.layer import pack_folder
from zbuild.oci.layout import ImageBlobs, Layout
from zbuild.oci.media import OCI_CONFIG, OCI_MANIFEST, Descriptor

if TYPE_CHECKING:
    from support.storage import Storage

    from zbuild.oci.layer import Compression, Layer

CONFIG = ImageConfig(  # noqa: S604 - a shell that nothing is started with
    env=(("PATH", "/bin"), ("EMPTY", "")),
    labels=(("a", "ü"),),
    workdir="/w",
    user="1:2",
    cmd=("sh", "-c", "x"),
    entrypoint=("/bin/e",),
    shell=("/bin/ash", "-c"),
    ports=("80/tcp",),
    volumes=("/data",),
    stop_signal="SIGINT",
    health=HealthConfig(("CMD", "true"), interval=5_000_000_000, retries=3),
    author="me",
    onbuild=("RUN x",),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with one of everything."""
    root = tmp_path / "tree"
    (root / "a/empty").mkdir(parents=True)
    (root / "a-b").write_text("sorts between a and a/empty")
    (root / "a/file").write_text("text")
    os.chown(root / "a/file", 1000, 2000)
    (root / "a/file").chmod(0o4751)
    os.utime(root / "a/file", ns=(0, 1_600_000_000_999_999_999))
    os.setxattr(root / "a/file", "user.note", b"\xff\0binary")
    (root / "a/hard").hardlink_to(root / "a/file")
    (root / "a/soft").symlink_to("../nowhere")
    (root / ("l" * 120)).write_text("a long name")
    Path(os.fsdecode(bytes(root) + b"/\xff\xfe")).write_text("a name that is no UTF-8")
    os.mkfifo(root / "pipe")
    os.mknod(root / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(root / "socket"))
    return root


def packed(tree: Path, layout: Layout, compression: Compression, **fields: object) -> Layer:
    made: list[Layer] = []

    def write(file: object) -> str:
        made.append(pack_folder(bytes(tree), file, compression, **fields))
        return made[0].descriptor.digest

    layout.put_by(write)
    return made[0]


def put_image(layout: Layout, layers: list[Layer], tag: str) -> str:
    config = encode_config(
        replace(CONFIG, onbuild=()),  # buildah would run it
        host_platform(),
        [layer.diff_id for layer in layers],
        created="2026-01-02T03:04:05Z",
        history=[("COPY . /", True)] * len(layers),
    )
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": Descriptor(OCI_CONFIG, layout.put(config), len(config)).to_json(),
        "layers": [layer.descriptor.to_json() for layer in layers],
    }
    image = ImageBlobs(encode_json(document), config)
    layout.put(image.manifest)
    layout.enter(Descriptor(OCI_MANIFEST, image.digest, len(image.manifest)), tag)
    return image.digest


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_an_image_made_here_is_an_image_to_others(
    tree: Path, tmp_path: Path, storage: Storage, compression: Compression
) -> None:
    layout = Layout.create(tmp_path / "layout")
    (tmp_path / "more/a").mkdir(parents=True)
    layers = [
        packed(tree, layout, compression),
        packed(tmp_path / "more", layout, compression, removed=("a-b", "/a/soft")),
    ]
    digest = put_image(layout, layers, "v1")
    inspected = subprocess.run(
        ["skopeo", "inspect", f"oci:{layout.folder}:v1"], check=True, capture_output=True, text=True
    )
    assert json.loads(inspected.stdout)["Digest"] == digest
    image = storage.buildah("pull", "-q", f"oci:{layout.folder}:v1")
    document = json.loads(storage.buildah("inspect", "--type", "image", image))["OCIv1"]
    assert document["rootfs"]["diff_ids"] == [layer.diff_id for layer in layers]
    root = Path(storage.buildah("mount", storage.buildah("from", image)))
    file = root / "a/file"
    info = file.stat()
    assert (info.st_mode, info.st_uid, info.st_gid) == (stat.S_IFREG | 0o4751, 1000, 2000)
    assert info.st_mtime == 1_600_000_000
    assert info.st_ino == (root / "a/hard").stat().st_ino
    assert os.getxattr(file, "user.note") == b"\xff\0binary"
    assert Path(os.fsdecode(bytes(root) + b"/\xff\xfe")).read_text() == "a name that is no UTF-8"
    assert (root / ("l" * 120)).read_text() == "a long name"
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)
    assert (root / "null").stat().st_rdev == os.makedev(1, 3)
    names = {path.name for path in (*root.iterdir(), *(root / "a").iterdir())}
    assert names.isdisjoint({"a-b", "soft", "socket"})


def test_a_layer_is_the_same_each_time(tree: Path, tmp_path: Path) -> None:
    layout = Layout.create(tmp_path / "layout")
    first = packed(tree, layout, "gzip", epoch=1_500_000_000)
    other = tmp_path / "other"
    subprocess.run(["cp", "-a", tree, other], check=True)
    for path in other.rglob("*"):
        os.utime(path, follow_symlinks=False)
    assert packed(other, layout, "gzip", epoch=1_500_000_000) == first
    assert packed(tree, layout, "zstd", epoch=1_500_000_000).diff_id == first.diff_id
    assert packed(tree, layout, "gzip").diff_id != first.diff_id
    assert not list((tmp_path / "layout/blobs/sha256").glob(".*"))


def test_a_config_says_what_it_was_made_of() -> None:
    text = encode_config(CONFIG, host_platform(), ["sha256:1"], created="2026-01-02T03:04:05Z", history=[("X", False)])
    document = json.loads(text)
    assert parse_config(document) == CONFIG
    assert document["history"] == [{"created": "2026-01-02T03:04:05Z", "created_by": "X", "empty_layer": True}]
    bare = json.loads(encode_config(ImageConfig(), host_platform(), [], created="2026-01-02T03:04:05Z"))
    assert bare["config"] == {}
    assert bare["rootfs"] == {"type": "layers", "diff_ids": []}


def test_a_tag_moves_and_writers_take_turns(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    entries = [Descriptor(OCI_MANIFEST, f"sha256:{number:064x}", number) for number in range(40)]
    threads = [
        threading.Thread(target=lambda entry=entry: Layout.create(tmp_path).enter(entry, f"t{entry.size % 10}"))
        for entry in entries
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(layout.manifests()) == 10
    layout.enter(entries[0], "new")
    layout.enter(entries[1], "new")
    layout.enter(entries[1])
    found = layout.tagged("new")
    assert found is not None
    assert found.digest == entries[1].digest
    assert layout.tagged("none") is None


def test_a_blob_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)

    def write(_file: object) -> str:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        layout.put_by(write)
    assert list((tmp_path / "blobs/sha256").iterdir()) == []
