from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from zbuild.api.options import BuildOptions
from zbuild.api.workspace import Workspace
from zbuild.base.errors import UsageError
from zbuild.syntax.outputs import Output, parse_output

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("out", Output("local", "out")),
        ("type=local,dest=out", Output("local", "out")),
        ("type=tar,dest=a.tar", Output("tar", "a.tar")),
        ("type=oci,dest=a.tar", Output("oci", "a.tar")),
        ("type=oci-archive,dest=a.tar", Output("oci", "a.tar")),
        ("type=oci,dest=a,tar=false", Output("oci", "a", archive=False)),
        ("type=docker", Output("docker")),
        ("type=docker,dest=a.tar", Output("docker", "a.tar")),
        ("type=docker-archive,dest=a.tar", Output("docker", "a.tar")),
        ('type=dir,"dest=with, comma"', Output("dir", "with, comma")),
    ],
)
def test_outputs_are_written_as_buildx_has_them(text: str, output: Output) -> None:
    assert parse_output(text) == output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("type=odi,dest=x", "there is no type 'odi': did you mean 'oci'"),
        ("dest=x", "'type' is missing"),
        ("type=oci", "type=oci needs dest=PATH"),
        ("type=docker-archive", "type=docker-archive needs dest=PATH"),
        ("type=oci,dest=x,tar=perhaps", "'tar' is true or false"),
        ("type=tar,dest=-", "'-' is no path: nothing is written to stdout"),
        ("-", "'-' is no path"),
        ("type=oci,destination=x", "'destination=x' is none of type="),
    ],
)
def test_what_is_no_output_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_output(text)


FILE = """\
images:
  api: {context: ., tags: ["localhost/t/api", "t/api:2"]}
  other: {context: .}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "zbuild.yaml").write_text(FILE)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    return Workspace(tmp_path)


def build(workspace: Workspace, *outputs: Output, targets: tuple[str, ...] = ("api",), **choices) -> None:
    workspace.build(targets, BuildOptions(backend="fake", outputs=outputs, **choices))


def test_an_image_is_written_with_its_names_each_time(workspace: Workspace, tmp_path: Path) -> None:
    output = Output("oci", str(tmp_path / "out/image.tar"))
    for _ in range(2):
        build(workspace, output)
        assert (tmp_path / "out/image.tar").read_text().split()[2:] == ["t/api:latest", "t/api:2"]
        (tmp_path / "out/image.tar").unlink()


@pytest.mark.parametrize(
    ("output", "choices", "told"),
    [
        (Output("oci", "/x"), {"targets": ("*",)}, "is for one image, but there are several targets"),
        (Output("tar", "/x"), {"platforms": ("linux/arm64", "linux/s390x")}, "holds one platform"),
        (Output("docker", "/x"), {"platforms": ("linux/arm64", "linux/s390x")}, "holds one platform"),
    ],
)
def test_what_cannot_be_written_is_told_before_the_build(
    workspace: Workspace, output: Output, choices: dict[str, tuple[str, ...]], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        build(workspace, output, **choices)
    assert not (workspace.root / ".zbuild/fake/images").exists()


def test_a_folder_that_holds_other_things_is_not_replaced(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    with pytest.raises(UsageError, match="no image was written there"):
        build(workspace, Output("dir", str(tmp_path / "mine")))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]
