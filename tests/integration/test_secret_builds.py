"""Builds that need secrets, by the real command: where these come from, and that they stay where they are."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.monorepo import Monorepo
from support.run_ways import WAYS

if TYPE_CHECKING:
    from support.storage import Storage

VALUE = "hush-0815-of-files"
VARIABLE = "hush-4711-of-variables"
_DOCKERFILE = """\
FROM t/base:1
RUN --mount=type=secret,id=token,required \\
    --mount=type=secret,id=env,env=TOKEN,required \\
    set -x; cat /run/secrets/token; echo $TOKEN; wc -c < /run/secrets/token > /length; cat /wait/* 2>/dev/null; sleep 2
RUN --mount=type=secret,id=absent,env=ABSENT test -z "$ABSENT"
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    file = tmp_path / "outside/token"
    file.parent.mkdir()
    file.write_text(f"{VALUE}\n")
    return file


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    made = Monorepo.create(tmp_path / "repo", environment=storage.environment)
    made.write("app/Dockerfile", _DOCKERFILE)
    made.write("zbuild.yaml", "images:\n  app: {context: app}\n  base: {context: base, tags: ['t/base:1']}\n")
    return made


def given(outside: Path) -> tuple[str, ...]:
    return ("--secret", f"id=token,src={outside}", "--secret", "id=env,env=OUTSIDE")


def test_a_build_that_lacks_secrets_fails_before_anything_runs(repo: Monorepo) -> None:
    ended = repo.zbuild("build", "app")
    assert ended.code == 2
    assert "app/Dockerfile:2:1: error[secret-missing]: the secret 'token' is needed and not there" in ended.stderr
    assert "error[secret-missing]: the secret 'env' is needed and not there" in ended.stderr
    assert "--secret id=token,src=FILE" in ended.stderr
    assert "absent" not in ended.stderr
    assert "started" not in ended.stderr


def leaks(*folders: Path) -> list[str]:
    """Return what holds a secret: files in some folders, and the arguments of processes."""
    needles = (VALUE.encode(), VARIABLE.encode())
    paths = [*Path("/proc").glob("[0-9]*/cmdline"), *(path for folder in folders for path in folder.rglob("*"))]
    found = []
    for path in paths:
        try:
            if (path.is_file() or path.match("/proc/*/cmdline")) and not path.is_symlink():
                data = path.read_bytes()
                found += [str(path) for needle in needles if needle in data]
        except OSError:
            continue
    return found


@pytest.mark.parametrize("way", WAYS)
def test_secrets_are_nowhere_during_the_build_and_after(
    repo: Monorepo, storage: Storage, outside: Path, way: str
) -> None:
    places = (storage.root, repo.root, Path("/run"), *Path("/var/tmp").glob("buildah*"))  # noqa: S108 - buildah's own
    told = []
    arguments = ("build", "app", "--progress", "json", *given(outside))
    with repo.start(*arguments, OUTSIDE=VARIABLE, ZBUILD_RUN=way) as build:
        assert build.stderr
        for line in build.stderr:
            told.append(line)
            if '"***"' in line:
                break
        during = leaks(*places)
        told += build.stderr.readlines()
    assert build.returncode == 0, told
    assert during == leaks(*places) == []
    assert sum("***" in line for line in told) >= 2
    assert VALUE not in "".join(told)
    assert VARIABLE not in "".join(told)
    history = storage.buildah("inspect", "--type", "image", _only(storage))
    assert VALUE not in history
    assert VARIABLE not in history


def _only(storage: Storage) -> str:
    """Return the image that was built last."""
    return next(image for name, image in storage.images().items() if "t/base" not in name)


def test_values_are_in_no_key_and_a_cached_stage_needs_none(repo: Monorepo, outside: Path) -> None:
    assert repo.build("app", *given(outside), OUTSIDE=VARIABLE)["app/0"] == "run"
    outside.write_text("another value")
    assert repo.build("app", *given(outside), OUTSIDE="another")["app/0"] == "cached"
    assert repo.build("app")["app/0"] == "cached"
    ended = repo.zbuild("build", "app", "-B")
    assert (ended.code, "secret-missing" in ended.stderr) == (2, True)


def test_the_workspace_says_where_secrets_are(repo: Monorepo, outside: Path) -> None:
    text = (repo.root / "zbuild.yaml").read_text()
    secrets = f"secrets: {{token: {{file: {outside}}}, env: {{env: OUTSIDE}}}}"
    repo.write("zbuild.yaml", f"defaults: {{{secrets}}}\n{text}")
    ended = repo.zbuild("build", "app")
    assert "the secret 'env' is needed and not there: the variable OUTSIDE is not set" in ended.stderr
    assert "'token'" not in ended.stderr
    assert repo.build("app", OUTSIDE=VARIABLE)["app/0"] == "run"
    other = outside.with_name("other")
    other.write_text("the command line's")
    repo.build("app", "-B", "--secret", "id=token,src=../outside/other", OUTSIDE=VARIABLE)
    logs = [path.read_text() for path in sorted((repo.root / ".zbuild/logs").glob("*/app.log"))]
    assert all(VALUE not in log and "command line" not in log for log in logs)


def test_ssh_and_home_relative_files_come_from_the_workspace_too(repo: Monorepo, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    key = tmp_path / "home/key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "home/.npmrc").write_text("registry")
    repo.write(
        "app/Dockerfile",
        "FROM t/base:1\nRUN --mount=type=ssh,id=git,required test -S $SSH_AUTH_SOCK\n"
        "RUN --mount=type=secret,id=npmrc,target=/root/.npmrc test -s /root/.npmrc\n",
    )
    text = (repo.root / "zbuild.yaml").read_text()
    lines = "defaults: {ssh: {git: ~/key}, secrets: {npmrc: {file: ~/.npmrc}}}\n"
    repo.write("zbuild.yaml", lines + text)
    assert repo.build("app", HOME=str(tmp_path / "home"))["app/0"] == "run"
    key.unlink()
    ended = repo.zbuild("build", "app", "-B", HOME=str(tmp_path / "home"))
    assert "app/Dockerfile:2:1: error[agent-missing]: the ssh agent 'git' is needed and not there" in ended.stderr


@pytest.mark.parametrize("way", WAYS)
def test_a_killed_build_leaves_secrets_to_the_next_one_which_removes_them(
    repo: Monorepo, outside: Path, way: str, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    repo.write(
        "app/Dockerfile",
        "FROM t/base:1\nRUN --mount=type=secret,id=token --mount=type=secret,id=env,env=T --mount=type=ssh"
        " echo ready; sleep 100\n",
    )
    before = set(Path("/dev/shm").iterdir())  # noqa: S108 - where secrets lie
    arguments = ("build", "app", *given(outside), "--ssh", f"default={key}")
    with repo.start(*arguments, OUTSIDE=VARIABLE, ZBUILD_RUN=way) as build:
        assert build.stderr
        while "  ready" not in build.stderr.readline():
            assert build.poll() is None
        build.kill()
    (left,) = [path for path in set(Path("/dev/shm").iterdir()) - before if path.name.startswith("zbuild-")]  # noqa: S108 - likewise
    assert agents(left)
    repo.write("app/Dockerfile", "FROM t/base:1\n")
    assert repo.build("app")["app/0"] == "run"
    assert not left.exists()
    limit = time.monotonic() + 10
    while agents(left) and time.monotonic() < limit:
        time.sleep(0.05)
    assert agents(left) == []


def agents(folder: Path) -> list[str]:
    """Return the processes with an argument in a folder."""
    needle = os.fsencode(folder)
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [str(path)] if needle in path.read_bytes() else []
        except OSError:
            continue
    return found
