"""The runner, on real processes."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from zbuild.backend.command import Command
from zbuild.backend.proc import Family, leaders_naming
from zbuild.backend.process import CommandTimeoutError, Runner
from zbuild.base.errors import BackendError, InterruptedBuildError


def shell(text: str, **fields: object) -> Command:
    return Command(("/bin/sh", "-c", text), **fields)  # type: ignore[arg-type] # whatever a test wants


def alive(mark: str) -> bool:
    """Tell whether a process with this argument is there."""
    return bool(leaders_naming(mark))


def test_result_has_code_output_and_errors() -> None:
    done = Runner().run(shell("echo out; echo err >&2; exit 3"))
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", ("err",))


def test_lines_are_told_as_they_come() -> None:
    told: list[tuple[str, str, float]] = []
    started = time.monotonic()

    def tell(stream: str, line: str) -> None:
        told.append((stream, line, time.monotonic() - started))

    done = Runner().run(shell("echo one; sleep 0.5; echo two >&2"), tell)
    assert [item[:2] for item in told] == [("stdout", "one"), ("stderr", "two")]
    assert told[0][2] < 0.4 < told[1][2]
    assert done.stdout == ""


def test_much_output_on_both_and_input_do_not_block() -> None:
    data = b"x" * 300_000
    done = Runner().run(shell("cat; head -c 300000 /dev/zero >&2", stdin=data))
    assert done.stdout.encode() == data


def test_environment_and_folder(tmp_path: Path) -> None:
    done = Runner().run(shell('echo "$ADDED$HOME"; pwd', env=(("ADDED", "1"),), cwd=str(tmp_path)))
    first, folder = done.stdout.split("\n")[:2]
    assert first.startswith("1/")
    assert folder == str(tmp_path)


def test_missing_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(BackendError) as raised:
        Runner().run(Command(("buildah", "info")))
    assert raised.value.code == "tool-missing"
    assert "apt-get install buildah" in raised.value.hint


@pytest.mark.parametrize("command", [shell("true", cwd="/nonexistent"), Command(("echo", "\0")), Command(("/etc",))])
def test_what_cannot_be_started(command: Command) -> None:
    with pytest.raises(BackendError) as raised:
        Runner().run(command)
    assert raised.value.code == "tool-failed"


def test_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zbuild.backend.process.GRACE", 0.2)
    started = time.monotonic()
    with pytest.raises(CommandTimeoutError):
        Runner().run(shell("trap '' TERM; while :; do sleep 0.1; done # zz-limit", timeout=0.3))
    assert time.monotonic() - started < 3
    assert not alive("trap '' TERM; while :; do sleep 0.1; done # zz-limit")


def test_silence_limit() -> None:
    told: list[str] = []
    with pytest.raises(CommandTimeoutError):
        Runner().run(shell("echo a; sleep 0.2; echo b; sleep 30", silence=0.6), lambda _, line: told.append(line))
    assert told == ["a", "b"]


def test_what_is_left_in_the_group_ends_with_its_leader() -> None:
    started = time.monotonic()
    done = Runner().run(shell("sleep 77 & echo $!"))
    assert time.monotonic() - started < 5
    deadline = time.monotonic() + 2  # it is killed by then, but may not have been taken off the table yet
    with Family(int(done.stdout)) as family:
        while family.members() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert family.members() == set()


def test_a_new_container_does_not_take_the_place_of_one_that_was_ended() -> None:
    """The kernel gives the number of a mount namespace that is gone to the next one."""
    with ExitStack() as stack:

        def sleeper() -> subprocess.Popen[bytes]:
            process = subprocess.Popen(["unshare", "--mount", "sleep", "78"], start_new_session=True)
            stack.callback(process.wait)
            stack.callback(process.kill)
            while Path(f"/proc/{process.pid}/ns/mnt").samefile("/proc/self/ns/mnt"):
                time.sleep(0.01)
            return process

        old = sleeper()
        with Family(old.pid) as family:
            assert family.members() == {old.pid}
            old.kill()
            old.wait()
            others = [sleeper() for _ in range(5)]
            assert family.members().isdisjoint({other.pid for other in others})


def test_cancel_ends_all_and_refuses_more() -> None:
    runner = Runner()
    with ThreadPoolExecutor() as threads:
        runs = [threads.submit(runner.run, shell(f"sleep 6{number} & sleep 60; true")) for number in range(3)]
        time.sleep(0.3)
        started = time.monotonic()
        runner.cancel()
        for run in runs:
            with pytest.raises(InterruptedBuildError):
                run.result()
    assert time.monotonic() - started < 3
    for call in (lambda: runner.run(shell("true")), lambda: runner.sleep(60)):
        with pytest.raises(InterruptedBuildError):
            call()
    assert runner.run(shell("echo still"), cleanup=True).stdout == "still\n"


def test_listener_that_fails_ends_the_command() -> None:
    def refuse(_stream: str, _line: str) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        Runner().run(shell("echo x; sleep 60 # zz-listener"), refuse)
    assert not alive("echo x; sleep 60 # zz-listener")
