"""What goes wrong, with real buildah: clear errors, nothing lost, nothing left, and the next run is right."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.monorepo import Monorepo

if TYPE_CHECKING:
    import subprocess

    from support.storage import Storage

SLOW = "FROM t/base:1\nCOPY main.txt /\nRUN echo begun; sleep 60\n"


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    return Monorepo.create(tmp_path, environment=storage.environment)


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        if text in line:
            return
        lines.append(line)
    pytest.fail(f"'{text}' was never written, but: {''.join(lines)}")


def processes_of(text: str) -> list[str]:
    """Return the command lines that hold a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if text in line]


def test_a_failing_run_tells_its_exit_code_last_lines_and_log(repo: Monorepo, storage: Storage) -> None:
    repo.write("api/Dockerfile", "FROM t/base:1\nRUN echo last words; exit 7\n")
    ended = repo.zbuild("build", "api")
    assert ended.code == 1
    assert "last words" in ended.stderr
    assert "7" in ended.stderr
    assert "api/Dockerfile:2" in ended.stderr
    assert "Traceback" not in ended.stderr
    (log,) = repo.root.glob(".zbuild/logs/*/api.log")
    assert str(log) in ended.stderr
    assert "last words" in log.read_text()
    assert storage.containers() == []


def test_keep_going_builds_what_does_not_depend_on_the_failure(repo: Monorepo) -> None:
    repo.write("zbuild.yaml", (repo.root / "zbuild.yaml").read_text() + "  end: {context: end}\n")
    repo.write("api/Dockerfile", "FROM t/base:1\nRUN exit 1\n")
    repo.write("end/Dockerfile", "FROM t/api:1\nRUN true\n")
    ended = repo.zbuild("build", "-k", "--metadata-file", "metadata.json")
    assert ended.code == 1
    assert repo.actions() == {"base/0": "run", "web/0": "run"}
    assert "end" in ended.stderr
    assert repo.zbuild("build", "web").stderr.startswith("zbuild: 1 image up to date")


def test_retries_run_a_failed_step_again(repo: Monorepo) -> None:
    repo.write(
        "web/ZImagefile",
        "build: ../base\nsteps:\n"
        '  - run: "test -e /seen/mark || { touch /seen/mark; exit 1; }"\n    retries: 1\n'
        "    cache: [{target: /seen}]\n",
    )
    assert repo.build("web")["web/0"] == "run"


def test_a_run_that_takes_too_long_is_ended(repo: Monorepo) -> None:
    repo.write("web/ZImagefile", "build: ../base\nsteps:\n  - run: sleep 61.25\n    timeout: 1s\n")
    ended = repo.zbuild("build", "web")
    assert (ended.code, "1s" in ended.stderr or "timeout" in ended.stderr) == (1, True), ended.stderr
    assert processes_of("sleep 61.25") == []


def test_without_buildah_the_error_says_what_to_install(repo: Monorepo, tmp_path: Path) -> None:
    ended = repo.zbuild("build", PATH=str(tmp_path / "nothing"))
    assert ended.code == 3
    assert "apt-get install" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_image_that_was_removed_is_built_again(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    storage.buildah("rmi", "--force", storage.images()["localhost/t/web:1"])
    assert repo.plan()["web/0"] == "run"
    assert repo.build()["web/0"] == "run"
    assert "localhost/t/web:1" in storage.images()


def test_a_tag_that_was_taken_away_comes_back_without_building(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    storage.buildah("rmi", "localhost/t/api:latest")
    assert set(repo.build().values()) == {"cached"}
    assert "localhost/t/api:latest" in storage.images()


def test_killed_in_the_middle_the_next_run_is_right_and_clears_up(repo: Monorepo, storage: Storage) -> None:
    repo.write("api/Dockerfile", SLOW.replace("60", "63.75"))
    process = repo.start("build", "--progress", "plain")
    wait_for_line(process, "begun")
    process.kill()
    process.communicate()
    assert storage.containers() != []
    repo.write("api/Dockerfile", SLOW.replace("sleep 60", "true"))
    ended = repo.zbuild("build", "--progress", "plain", "--metadata-file", "metadata.json")
    assert ended.code == 0, ended.stderr
    assert "left by a run that was cut off" in ended.stderr
    assert repo.actions()["base/0"] == "cached"
    assert storage.containers() == []
    assert processes_of("sleep 63.75") == []


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_no_process_and_no_container(
    repo: Monorepo, storage: Storage, signum: signal.Signals, code: int
) -> None:
    repo.write("api/Dockerfile", SLOW.replace("60", "62.5"))
    process = repo.start("build", "--progress", "plain")
    wait_for_line(process, "begun")
    began = time.monotonic()
    process.send_signal(signum)
    process.communicate(timeout=20)
    assert process.returncode == code
    assert time.monotonic() - began < 5
    assert processes_of("sleep 62.5") == []
    assert storage.containers() == []
    assert repo.plan()["base/0"] == "cached"


def test_two_builds_at_once_build_each_stage_once(repo: Monorepo) -> None:
    repo.write("api/Dockerfile", SLOW.replace("60", "1"))
    first, second = (repo.start("build", "--progress", "plain") for _ in range(2))
    told = [process.communicate(timeout=60)[1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert sum("[api] built" in text for text in told) == 1
    assert sum("waiting for pid" in text for text in told) == 1


def test_no_wait_fails_while_another_builds(repo: Monorepo) -> None:
    repo.write("api/Dockerfile", SLOW.replace("60", "3"))
    first = repo.start("build", "--progress", "plain")
    wait_for_line(first, "begun")
    ended = repo.zbuild("build", "--no-wait")
    assert ended.code == 3
    assert f"pid {first.pid}" in ended.stderr
    first.communicate(timeout=60)


def test_state_that_is_gone_or_damaged_costs_time_alone(repo: Monorepo) -> None:
    repo.build()
    shutil.rmtree(repo.root / ".zbuild")
    assert set(repo.build().values()) == {"run"}
    (repo.root / ".zbuild/state.db").write_bytes(b"not a database at all" * 1000)
    ended = repo.zbuild("build", "--progress", "plain", "--metadata-file", "metadata.json")
    assert ended.code == 0, ended.stderr
    assert "state.db" in ended.stderr
    assert set(repo.actions().values()) == {"run"}
    for path in repo.root.glob(".zbuild/*/*.*"):
        if path.is_file():
            path.write_bytes(os.urandom(100))
    assert set(repo.build().values()) == {"cached"}


def test_a_file_that_changes_while_it_is_built_is_built_again(repo: Monorepo, storage: Storage) -> None:
    repo.write("api/Dockerfile", SLOW.replace("60", "1"))
    process = repo.start("build", "api", "--progress", "plain")
    wait_for_line(process, "begun")
    repo.write("api/main.txt", "edited meanwhile\n")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    container = storage.buildah("from", "--pull-never", "localhost/t/api:1")
    assert storage.read_in(container, "/main.txt") == "edited meanwhile"
    assert set(repo.build("api").values()) == {"cached"}


@pytest.mark.parametrize("put_in", ["COPY main.txt /", "RUN --mount=target=/src cat /src/main.txt > /main.txt"])
def test_a_file_that_is_put_back_while_it_is_built_is_built_again(
    repo: Monorepo, storage: Storage, put_in: str
) -> None:
    wait = "RUN echo begun; sleep 1; true\n"
    repo.write("api/Dockerfile", f"FROM t/base:1\n{wait}{put_in}\n{wait.replace('begun', 'copied')}")
    process = repo.start("build", "api", "--progress", "plain")
    wait_for_line(process, "begun")
    repo.write("api/main.txt", "edited meanwhile\n")
    wait_for_line(process, "copied")
    repo.write("api/main.txt", "# a comment\nhello\n")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    container = storage.buildah("from", "--pull-never", "localhost/t/api:1")
    content = storage.read_in(container, "/main.txt")
    assert content.splitlines() == ["# a comment", "hello"]
    assert set(repo.build("api").values()) == {"cached"}


def test_clean_removes_what_was_built(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    assert repo.zbuild("clean").code == 0
    assert "localhost/t/api:1" in storage.images()
    assert repo.zbuild("clean", "--all").code == 0
    assert storage.images() == {}
    assert not (repo.root / ".zbuild").exists()
