from pathlib import Path

import pytest

from zbuild.state.machine import MachineMemory


class Workspace:
    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def set(self, key: str, value: str) -> None:
        self.kept[key] = value


def test_what_is_kept_is_there_for_other_workspaces(tmp_path: Path) -> None:
    MachineMemory(Workspace(), tmp_path / "cache").set("a key/with: signs", "value")
    other = MachineMemory(Workspace(), tmp_path / "cache")
    assert other.get("a key/with: signs") == "value"
    assert other.get("another") is None
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_where_it_cannot_be_written_the_workspace_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    workspace = Workspace()
    memory = MachineMemory(workspace, tmp_path / "file" / "cache")
    memory.set("key", "value")
    assert workspace.kept == {"key": "value"}
    assert memory.get("key") == "value"


def test_what_is_damaged_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    memory = MachineMemory(Workspace(), tmp_path)
    memory.set("key", "value")
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"\xff\xfe")
    assert memory.get("key") is None


def test_the_folder_is_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    MachineMemory(Workspace()).set("key", "value")
    assert (tmp_path / "zbuild").is_dir()
