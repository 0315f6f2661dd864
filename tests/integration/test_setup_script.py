"""scripts/packages.sh says exactly what to install where it cannot install it itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/packages.sh"
ALWAYS = ("sh", "tr", "sort", "echo")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of commands that is all of PATH: a machine without buildah, where one is not root."""
    for name in ALWAYS:
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    command(tmp_path, "id", "echo 1000")
    command(tmp_path, "dpkg", "exit 0")
    command(tmp_path, "python3", "exit 0")
    for name in ("git", "runc", "docker-registry", "skopeo", "mmdebstrap", "pgrep", "apt-get"):
        command(tmp_path, name, "exit 0")
    return tmp_path


def command(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def packages(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = ["/bin/sh", str(SCRIPT), *arguments]
    return subprocess.run(argv, env={"PATH": str(machine)}, check=False, capture_output=True, text=True)


def test_without_root_it_says_what_to_run(machine: Path):
    done = packages(machine)
    assert done.returncode == 1
    assert "run: sudo apt-get install --no-install-recommends buildah tmux" in done.stderr


def test_without_apt_it_says_what_is_missing(machine: Path):
    (machine / "apt-get").unlink()
    done = packages(machine)
    assert done.returncode == 1
    assert "no apt-get here" in done.stderr
    assert "buildah tmux" in done.stderr


def test_with_all_there_it_needs_neither(machine: Path):
    for name in ("buildah", "tmux"):
        command(machine, name, "exit 0")
    (machine / "apt-get").unlink()
    assert packages(machine).returncode == 0


def test_as_root_it_installs_just_what_is_missing(machine: Path):
    command(machine, "id", "echo 0")
    command(machine, "tmux", "exit 0")
    command(machine, "apt-get", f'echo "$@" >>{machine}/called')
    assert packages(machine).returncode == 0
    called = (machine / "called").read_text()
    assert called == "update -qq\ninstall -y -qq --no-install-recommends buildah\n"


def test_the_benchmarks_peer_is_asked_for_alone(machine: Path):
    done = packages(machine, "bench")
    missing = done.stderr.partition("recommends ")[2].split()
    assert set(missing) - {"docker.io"} == {"buildah", "tmux"}
