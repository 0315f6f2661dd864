from pathlib import Path

import pytest

from zbuild.api.find import find_root, named_file
from zbuild.base.errors import UsageError
from zbuild.model.overlay import Overlay


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path.parent


def test_the_nearest_folder_upwards(tmp_path: Path) -> None:
    write(tmp_path / "zbuild.yaml", "images: {}\n")
    inner = write(tmp_path / "inner/zbuild.yaml", "images: {}\n")
    deep = inner / "a/b"
    deep.mkdir(parents=True)
    assert find_root(deep, {}, Overlay()) == inner
    assert find_root(tmp_path, {}, Overlay()) == tmp_path


def test_a_part_that_is_included_belongs_to_the_whole(tmp_path: Path) -> None:
    write(tmp_path / "zbuild.yaml", "vars: {R: reg}\ninclude: ['services/*/zbuild.yaml']\nimages: {}\n")
    cart = write(tmp_path / "services/cart/zbuild.yaml", "images:\n  cart: {context: ., tags: ['${R}/cart']}\n")
    write(cart / "Dockerfile", "FROM scratch\n")
    other = write(tmp_path / "tools/zbuild.yaml", "images: {}\n")
    assert find_root(cart, {}, Overlay()) == tmp_path
    assert find_root(other, {}, Overlay()) == other


def test_a_broken_workspace_above_is_no_concern_of_the_inner_one(tmp_path: Path) -> None:
    write(tmp_path / "zbuild.yaml", "include: {]\n")
    inner = write(tmp_path / "inner/zbuild.yaml", "images: {}\n")
    assert find_root(inner, {}, Overlay()) == inner


def test_a_pipeline_of_the_reference_is_a_workspace(tmp_path: Path) -> None:
    assert find_root(write(tmp_path / "ZPipeline.yaml", "images: {}\n"), {}, Overlay()) == tmp_path


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_root(tmp_path, {}, Overlay())
    assert caught.value.code == "no-workspace"


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.dev", "Containerfile", "ZImagefile"])
def test_the_build_file_of_one_image_is_no_workspace(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, "FROM scratch\n")
    with pytest.raises(UsageError) as raised:
        named_file(tmp_path, name)
    assert raised.value.code == "not-a-workspace"
    assert f"{{file: {name}}}" in raised.value.hint
