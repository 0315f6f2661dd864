"""Builds that go on from checkpoints, with real images: what they run, what they leave, and after what went wrong."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from support.monorepo import Monorepo

if TYPE_CHECKING:
    from pathlib import Path

    from support.storage import Storage

HEAD = ("FROM localhost/base:1", "ENV NAME=x", "WORKDIR /w", "RUN cat /proc/uptime > uptime; chown 33:44 uptime")
BODY = ("COPY f /w/", "RUN --mount=type=cache,target=/cache echo $NAME >> /cache/log; cat f uptime /cache/log > made")


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    storage.import_busybox("localhost/base:1")
    made = Monorepo(tmp_path / "work", storage.environment)
    made.write("zbuild.yaml", "images: {app: {context: app, tags: ['t/app:1']}}\n")
    made.write("app/f", "one\n")
    dockerfile(made, *HEAD, *BODY, "USER 33")
    return made


def dockerfile(repo: Monorepo, *lines: str, image: str = "app") -> None:
    repo.write(f"{image}/Dockerfile", "\n".join([*lines, ""]))


def events(repo: Monorepo, *arguments: str) -> list[dict[str, object]]:
    """Build, which must end well, and return the events."""
    ended = repo.zbuild("build", "--progress", "json", *arguments)
    assert ended.code == 0, ended.stderr
    return [json.loads(line) for line in ended.stderr.splitlines()]


def ran(repo: Monorepo, *arguments: str) -> list[str]:
    """Build and return the instructions that were run, without their arguments."""
    found = [event for event in events(repo, *arguments) if event["event"] == "InstructionStarted"]
    return [str(event["text"]).partition(" ")[0] for event in found]


def in_image(storage: Storage, command: str, image: str = "localhost/t/app:1") -> str:
    container = storage.buildah("from", "--pull-never", image)
    try:
        return storage.buildah("run", "--isolation", "chroot", "--user", "0", container, "sh", "-c", command)
    finally:
        storage.buildah("rm", container)


def test_a_change_repeats_no_more_than_it_must(repo: Monorepo, storage: Storage) -> None:
    assert ran(repo, "--layers") == ["WORKDIR", "RUN", "COPY", "RUN"]
    uptime = in_image(storage, "cat /w/uptime")
    repo.write("app/f", "two\n")
    told = events(repo)
    started = next(event for event in told if event["event"] == "StageStarted")
    assert (started["done"], started["steps"]) == (2, 4)
    assert [event["index"] for event in told if event.get("cached") is True] == [1, 2]
    made = in_image(storage, "cat /w/made").splitlines()
    assert made == ["two", uptime, "x", "x"]  # the cache mount lives on, apart from what is kept
    assert in_image(storage, "stat -c %u:%g /w/uptime") == "33:44"
    inspected = json.loads(storage.buildah("inspect", "--type", "image", "t/app:1"))["OCIv1"]["config"]
    assert (inspected["User"], inspected["WorkingDir"]) == ("33", "/w")
    assert "NAME=x" in inspected["Env"]


def test_files_that_are_removed_stay_removed(repo: Monorepo, storage: Storage) -> None:
    dockerfile(
        repo, HEAD[0], "RUN mkdir /d && echo a > /d/a && echo b > /d/b", "RUN rm -r /d/a && rm -r /bin/yes", BODY[0]
    )
    ran(repo, "--layers")
    repo.write("app/f", "two\n")
    assert ran(repo) == ["COPY"]
    assert in_image(storage, "ls /d /bin/yes 2>/dev/null; true").split() == ["/d:", "b"]


def test_another_command_or_label_runs_nothing(repo: Monorepo, storage: Storage) -> None:
    ran(repo, "--no-layers")
    dockerfile(repo, *HEAD, *BODY, "LABEL a=b", 'CMD ["cat", "made"]')
    assert ran(repo, "--no-layers") == []
    config = json.loads(storage.buildah("inspect", "--type", "image", "t/app:1"))["OCIv1"]["config"]
    assert config["Cmd"] == ["cat", "made"]
    assert config["Labels"]["a"] == "b"
    assert "User" not in config


def test_images_that_begin_alike_share(repo: Monorepo) -> None:
    ran(repo, "--layers")
    repo.write("zbuild.yaml", "images: {app: {context: app, tags: ['t/app:1']}, b: {context: b, tags: ['t/b:1']}}\n")
    dockerfile(repo, *HEAD, "RUN cat uptime", image="b")
    assert ran(repo) == ["RUN"]


def test_long_work_before_a_failure_is_not_repeated(repo: Monorepo, tmp_path: Path) -> None:
    repo.environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")  # others say what commits cost on a busy machine
    dockerfile(repo, HEAD[0], "RUN sleep 3", "RUN exit 3", BODY[0])
    assert repo.zbuild("build").code == 1
    dockerfile(repo, HEAD[0], "RUN sleep 3", "RUN true", BODY[0])
    assert ran(repo) == ["RUN", "COPY"]


def test_what_was_kept_before_a_kill_is_used_after_it(repo: Monorepo, storage: Storage) -> None:
    dockerfile(repo, *HEAD, "RUN echo waits; sleep 60")
    process = repo.start("build", "--layers", "--progress", "json")
    assert process.stderr
    for line in process.stderr:
        if '"line": "waits"' in line:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    dockerfile(repo, *HEAD, "RUN cat uptime")
    assert ran(repo) == ["RUN"]
    assert storage.containers() == []


def test_a_checkpoint_that_was_removed_is_a_miss(repo: Monorepo, storage: Storage) -> None:
    ran(repo, "--layers")
    own = {name for name in storage.images() if name.startswith("localhost/zbuild-")}
    storage.buildah("rmi", "--force", *own)
    repo.write("app/f", "two\n")
    assert ran(repo) == ["WORKDIR", "RUN", "COPY", "RUN"]


def test_what_is_needed_is_not_pruned(repo: Monorepo, storage: Storage) -> None:
    ran(repo, "--layers")
    assert repo.zbuild("cache", "prune").stdout.splitlines()[:-1] == []
    listed = repo.zbuild("cache", "ls").stdout
    assert "app (2 of 4)" in listed
    repo.write("app/f", "two\n")
    assert ran(repo) == ["COPY", "RUN"]
    assert repo.zbuild("cache", "prune", "--all").code == 0
    assert [name for name in storage.images() if name.startswith("localhost/zbuild-")] == []


@pytest.mark.parametrize("way", ["direct", "buildah"])
def test_what_is_there_by_steps_is_what_is_there_at_once(repo: Monorepo, storage: Storage, way: str) -> None:
    see = "RUN id > id; env | grep -v HOSTNAME | sort > env"
    dockerfile(repo, *HEAD[:3], see, BODY[0], "RUN find / -xdev -path /w/all -prune -o -print | sort > all")
    trees = []
    for layers in ("--layers", "--no-layers"):
        ended = repo.zbuild("build", "-B", layers, ZBUILD_RUN=way)
        assert ended.code == 0, ended.stderr
        files = "find / -xdev -type f | grep -v ^/proc | xargs ls -ln | awk '{print $1,$3,$4,$5,$9}'"
        trees.append(in_image(storage, f"cat /w/id /w/env /w/all; {files}"))
    assert trees[0] == trees[1]


def test_a_deep_stage_is_built_and_taken_up(repo: Monorepo, storage: Storage) -> None:
    steps = [f"RUN echo {number} > /{number}" for number in range(40)]
    dockerfile(repo, HEAD[0], *steps, BODY[0])
    started = time.monotonic()
    assert len(ran(repo, "--layers")) == 41
    repo.write("app/f", "two\n")
    assert ran(repo, "--layers") == ["COPY"]
    assert in_image(storage, "cat /0 /39 /f 2>/dev/null; cat /w/f") == "0\n39\ntwo"
    assert time.monotonic() - started < 120
