"""Images out of buildah's store and back: without a process where the store allows it, else by buildah."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from support.lab import DictMemory, Lab, run
from support.storage import Storage

from zbuild.backend.buildah.backend import BuildahBackend
from zbuild.base.platform import host_platform
from zbuild.oci.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from support.buildah_store import BuildahStore
    from support.lab import RecordingRunner

_ODD = f"""\
B=/bin/busybox; $B mkdir -p /odd/sub && echo one > /odd/file && $B ln /odd/file /odd/hard
$B ln -s ../odd/file /odd/sub/link && $B touch /odd/empty "$(printf '/odd/not-utf8-\\377')"
echo long > /odd/{"n" * 150} && $B rm /bin/env && $B mkfifo /odd/fifo
"""


def test_layers_are_put_together_without_a_process(buildah_lab: Lab, runner: RecordingRunner, tmp_path: Path) -> None:
    result = buildah_lab.build("odd", run("/bin/sh", "-c", _ODD))
    runner.called.clear()
    buildah_lab.backend.export([result.image_id], tmp_path / "layout")
    assert runner.called == []
    layout = Layout(tmp_path / "layout")
    assert all(layout.read(diff_id) for diff_id in result.diff_ids)


def _lab_in(storage: Storage, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    for name, value in storage.settings.items():
        monkeypatch.setenv(name, value)
    workspace.mkdir()
    return Lab(BuildahBackend(workspace, workspace / ".zbuild", DictMemory()), workspace)


def test_what_cannot_be_put_together_buildah_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage.create(tmp_path / "vfs")
    conf = storage.root / "storage.conf"
    conf.write_text(conf.read_text().replace("overlay", "vfs"))
    lab = _lab_in(storage, tmp_path / "w", monkeypatch)
    base = lab.make_base()
    lab.backend.export([base.image_id], tmp_path / "layout")
    assert all(Layout(tmp_path / "layout").read(diff_id) for diff_id in base.diff_ids)
    storage.remove()


@pytest.mark.parametrize("image_format", ["oci", "docker"])
def test_a_base_that_was_pulled_packed_travels_too(
    buildah_lab: Lab,
    buildah_store: BuildahStore,
    registry: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    image_format: Literal["oci", "docker"],
) -> None:
    assert buildah_lab.base is not None
    name = f"{registry}/lab/packed:{image_format}"
    push = ("push", "--tls-verify=false", "--quiet", "--format", "v2s2" if image_format == "docker" else "oci")
    buildah_store.storage.buildah(*push, buildah_lab.base.image_id, f"docker://{name}")
    other = Storage.create(tmp_path / "other")
    lab = _lab_in(other, tmp_path / "w", monkeypatch)
    base = lab.backend.resolve(name, host_platform(), "always")
    result = lab.build("on-packed", run("/bin/touch", "/x"), base=base, format=image_format)
    digests = lab.backend.export([result.image_id, base.image_id], tmp_path / "layout")
    lab.backend.remove([result.image_id, base.image_id])
    loaded = [lab.backend.load(tmp_path / "layout", digest, f"l{number}") for number, digest in enumerate(digests)]
    assert (digests[0], loaded) == (result.digest, [result.image_id, base.image_id])
    other.remove()
