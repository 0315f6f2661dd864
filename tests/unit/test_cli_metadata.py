from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from support.stand_in import StandIn

from zbuild.api.options import BuildReport, ImageReport, PlatformReport, StageReport
from zbuild.base.errors import BuildFailedError
from zbuild.cli.main import run
from zbuild.cli.session import Session
from zbuild.events.types import BuildFailed

if TYPE_CHECKING:
    from pathlib import Path

STAGE = StageReport("api/builder", "k1", "run", 1.5, "never built", "linux/arm64")
ARM = PlatformReport("linux/arm64", "sha256:1", "sha256:2", 2, 1000)
API = ImageReport("api", "sha256:1", "sha256:2", ("api:1",), 2, 1000, 1500, (STAGE,), (ARM,))
WEB = ImageReport("web", "sha256:3", "sha256:4", (), 1, 10, 0)


@pytest.fixture
def workspace(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path, report=BuildReport((WEB, API), 1.0))


def build(workspace: StandIn, path: Path) -> int:
    return run(["build", "--progress", "quiet", "--metadata-file", str(path)], Session(find=workspace.find))


def test_what_was_built_is_written_sorted(workspace: StandIn) -> None:
    path = workspace.root / "metadata.json"
    assert build(workspace, path) == 0
    images = json.loads(path.read_text())["images"]
    assert list(images) == ["api", "web"]
    assert images["api"] == {
        "image_id": "sha256:1",
        "digest": "sha256:2",
        "tags": ["api:1"],
        "layer_count": 2,
        "size": 1000,
        "build_time_ms": 1500,
        "stages": [
            {
                "name": "api/builder",
                "key": "k1",
                "action": "run",
                "seconds": 1.5,
                "reason": "never built",
                "platform": "linux/arm64",
            }
        ],
        "platforms": [
            {
                "platform": "linux/arm64",
                "image_id": "sha256:1",
                "digest": "sha256:2",
                "layer_count": 2,
                "size": 1000,
            }
        ],
    }


def test_others_may_read_it(workspace: StandIn) -> None:
    path = workspace.root / "metadata.json"
    build(workspace, path)
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask(workspace.root)


def _umask(folder: Path) -> int:
    probe = folder / "probe"
    probe.touch(mode=0o666)
    return 0o666 & ~stat.S_IMODE(probe.stat().st_mode)


def test_a_failed_build_tells_what_was_built_all_the_same(workspace: StandIn) -> None:
    path = workspace.root / "metadata.json"
    workspace.events = (BuildFailed(1.0, ("web",)),)
    workspace.error = BuildFailedError("build-failed", "failed: web")
    workspace.error.report = BuildReport((API,), 1.0)
    assert build(workspace, path) == 1
    assert list(json.loads(path.read_text())["images"]) == ["api"]


def test_without_a_report_the_file_stays_as_it_was(workspace: StandIn) -> None:
    path = workspace.root / "metadata.json"
    path.write_text("before")
    workspace.error = BuildFailedError("build-failed", "failed: web")
    assert build(workspace, path) == 1
    assert path.read_text() == "before"


def test_a_folder_that_cannot_be_written_is_told_before_the_build(
    workspace: StandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As root every folder can be written.
    monkeypatch.setattr("os.access", lambda *_: False)
    assert build(workspace, workspace.root / "metadata.json") == 2
    assert "cannot be written" in capsys.readouterr().err
    assert "build" not in [name for name, _ in workspace.calls]


def test_a_missing_folder_is_told_and_leaves_nothing(workspace: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    path = workspace.root / "no" / "metadata.json"
    assert build(workspace, path) == 2
    assert capsys.readouterr().err.startswith(f"error[metadata-file]: --metadata-file {path}: there is no folder ")
    assert "build" not in [name for name, _ in workspace.calls]
    assert list(workspace.root.iterdir()) == []
