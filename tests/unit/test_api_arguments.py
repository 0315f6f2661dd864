"""What the command line sets and no build file knows, and workspaces whose state cannot be written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from zbuild.api.options import BuildOptions
from zbuild.api.workspace import Workspace
from zbuild.base.errors import BuildFileError, StateError, UsageError

TEXT = "vars: {VERSION: '1'}\nimages:\n  api: {context: ., tags: ['api:${VERSION}${USED}']}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "zbuild.yaml").write_text(TEXT.replace("${USED}", ""))
    (tmp_path / "Dockerfile").write_text("ARG BASE=scratch\nFROM $BASE\nARG LEVEL\nLABEL level=$LEVEL\n")
    return tmp_path


def test_an_unknown_variable_is_refused_with_the_nearest(root: Path) -> None:
    with pytest.raises(UsageError, match="--set VERSON: no build file") as caught:
        Workspace(root, variables={"VERSON": "2"}).validate()
    assert caught.value.hint == "did you mean 'VERSION'?"


def test_a_variable_that_is_only_used_may_be_set(root: Path) -> None:
    (root / "zbuild.yaml").write_text(TEXT)
    (listing,) = Workspace(root, variables={"USED": "0"}).images()
    assert listing.tags == ("api:10",)


def test_build_arguments_that_nothing_declares_are_told(root: Path) -> None:
    given = (("BASE", "scratch"), ("LEVEL", "1"), ("HTTP_PROXY", "x"), ("LEVELS", "1"))
    (warning,) = Workspace(root).validate(BuildOptions(build_args=given))
    assert warning.message == "--build-arg LEVELS is declared by none of the build files"
    assert warning.hint == "did you mean 'LEVEL'?"


def test_included_folders_of_one_name_are_told_how_to_be_named(root: Path) -> None:
    for name in ("a/web", "b/web"):
        (root / name).mkdir(parents=True)
        (root / name / "Dockerfile").write_text("FROM scratch\n")
    (root / "zbuild.yaml").write_text("include: ['*/web/Dockerfile']\n")
    with pytest.raises(BuildFileError) as caught:
        Workspace(root).images()
    assert "'context: b/web' and 'file: b/web/Dockerfile'" in caught.value.hint


@pytest.mark.parametrize("fault", ["mkdir", "touch"])
def test_a_read_only_workspace_can_be_read(root: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / ".zbuild").mkdir()

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "read-only", str(path))

    # As root, permissions stop nobody.
    monkeypatch.setattr(Path, fault, refuse)
    workspace = Workspace(root)
    assert workspace.validate() == ()
    assert len(workspace.graph().vertices) == len(workspace.images()) == 1
    if fault == "mkdir":
        with pytest.raises(StateError) as caught:
            workspace.plan()
        assert "validate" in caught.value.hint
