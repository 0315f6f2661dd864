"""What every backend does when images leave its store as image layouts, and come into another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.lab import run

from zbuild.base.errors import BackendError, ImageGoneError
from zbuild.oci.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from support.lab import Lab

    from zbuild.backend.protocol import StageResult


def _built(lab: Lab, key: str) -> StageResult:
    """Build an image with layers that no other image has."""
    lab.put("file", f"text of {key}")
    return lab.build(key, lab.copy("file", dest="/new/file"), run("write", "/new/other", "more"))


def _damage(blob: Path) -> None:
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)


def test_an_image_survives_the_way_there_and_back(lab: Lab, tmp_path: Path) -> None:
    result = _built(lab, "t-back")
    assert lab.backend.export([result.image_id], tmp_path / "layout") == (result.digest,)
    lab.backend.remove([result.image_id])
    image_id = lab.backend.load(tmp_path / "layout", result.digest, "t-back", ("localhost/lab/t-back:2",))
    assert image_id == result.image_id
    found = lab.backend.resolve("localhost/lab/t-back:2", lab.order("x").platform, "never")
    assert (found.image_id, found.digest, found.diff_ids) == (result.image_id, result.digest, result.diff_ids)
    assert lab.read(image_id, "/new/file") == "text of t-back"
    assert lab.read(image_id, "/new/other") == "more"


def test_layers_are_plain_tars_named_by_their_diff_ids(lab: Lab, tmp_path: Path) -> None:
    result = _built(lab, "t-named")
    lab.backend.export([result.image_id], tmp_path)
    layout = Layout(tmp_path)
    assert [entry["digest"] for entry in layout.manifests()] == [result.digest]
    image = layout.image(result.digest)
    assert (image.image_id, image.diff_ids) == (result.image_id, result.diff_ids)
    for diff_id in result.diff_ids:
        layout.read(diff_id)


def test_several_images_share_a_layout(lab: Lab, tmp_path: Path) -> None:
    one, two = _built(lab, "t-one"), _built(lab, "t-two")
    assert lab.backend.export([one.image_id, two.image_id], tmp_path) == (one.digest, two.digest)
    assert [entry["digest"] for entry in Layout(tmp_path).manifests()] == [one.digest, two.digest]


def test_layers_tells_what_is_there(lab: Lab) -> None:
    result = _built(lab, "t-layers")
    assert set(result.diff_ids) <= set(lab.backend.layers())
    lab.backend.remove([result.image_id])
    assert result.diff_ids[-1] not in lab.backend.layers()


def test_layers_of_the_base_need_not_travel(lab: Lab, tmp_path: Path) -> None:
    assert lab.base is not None
    result = _built(lab, "t-thin")
    lab.backend.export([result.image_id], tmp_path, without=lab.base.diff_ids)
    assert not any(Layout(tmp_path).blob(diff_id).exists() for diff_id in lab.base.diff_ids)
    lab.backend.remove([result.image_id])
    assert lab.backend.load(tmp_path, result.digest, "t-thin") == result.image_id
    assert lab.read(result.image_id, "/new/other") == "more"


def test_a_loaded_image_without_names_is_the_backends_own(lab: Lab, tmp_path: Path) -> None:
    result = _built(lab, "t-own")
    lab.backend.export([result.image_id], tmp_path)
    lab.backend.remove([result.image_id])
    lab.backend.load(tmp_path, result.digest, "t-own")
    assert lab.backend.usage()[result.image_id].given_names == ()
    assert any("t-own" in removed or result.image_id[:12] in removed for removed in lab.backend.sweep((), ()))


def test_an_altered_layer_is_refused(lab: Lab, tmp_path: Path) -> None:
    result = _built(lab, "t-altered")
    lab.backend.export([result.image_id], tmp_path)
    lab.backend.remove([result.image_id])
    _damage(Layout(tmp_path).blob(result.diff_ids[-1]))
    with pytest.raises(BackendError):
        lab.backend.load(tmp_path, result.digest, "t-altered")
    assert result.image_id not in lab.backend.images()


def test_a_missing_layer_is_told(lab: Lab, tmp_path: Path) -> None:
    result = _built(lab, "t-missing")
    lab.backend.export([result.image_id], tmp_path)
    lab.backend.remove([result.image_id])
    Layout(tmp_path).blob(result.diff_ids[-1]).unlink()
    with pytest.raises(BackendError):
        lab.backend.load(tmp_path, result.digest, "t-missing")


def test_a_manifest_of_other_layers_is_refused(lab: Lab, tmp_path: Path) -> None:
    result = _built(lab, "t-false")
    lab.backend.export([result.image_id], tmp_path)
    layout = Layout(tmp_path)
    manifest = json.loads(layout.read(result.digest))
    manifest["layers"] = manifest["layers"][:1]
    digest = layout.put(json.dumps(manifest).encode())
    with pytest.raises(BackendError) as raised:
        lab.backend.load(tmp_path, digest, "t-false")
    assert raised.value.code == "bad-layout"


def test_export_of_what_is_not_there(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(ImageGoneError):
        lab.backend.export(["f" * 64], tmp_path)
