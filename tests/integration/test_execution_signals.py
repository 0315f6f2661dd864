"""Real signals to a real process that runs jobs with children of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

RUN_JOBS = """
import os, signal, subprocess, sys, threading
from zbuild.base.errors import StageError, ZbuildError
from zbuild.execution.outcome import Done, Failed, Job
from zbuild.execution.runner import run_jobs

children, lock = [], threading.Lock()

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # whole lines, from whatever thread

def sleep():
    with lock:
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        children.append(child)
    say("child", child.pid)
    return Failed(StageError("killed", "killed")) if child.wait() else Done()

def cancel():
    with lock:
        for child in children:
            os.killpg(child.pid, signal.SIGKILL)

jobs = [Job("quick", (), 99, Done), Job("a", ("quick",), 2, sleep), Job("b", (), 3, sleep), Job("c", ("a",), 1, sleep)]
try:
    run_jobs(
        jobs,
        workers=2,
        keep_going=True,
        on_done=lambda name, value: say("done", name),
        on_failed=lambda name, error: say("failed", name),
        on_skipped=lambda name, because: say("skipped", name),
        cancel=cancel,
    )
except ZbuildError as error:
    say("error", error.code)
    sys.exit(error.exit_code)
"""


def started(*under: str) -> tuple[subprocess.Popen[str], list[int], list[str]]:
    """Start the script, and return when both children run: the process, their ids, and what it said so far."""
    command = [*under, sys.executable, "-c", RUN_JOBS]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines: list[str] = []
    while sum(line.startswith("child") for line in lines) < 2:
        lines.append(process.stdout.readline().strip())
    return process, [int(line.split()[1]) for line in lines if line.startswith("child")], lines


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_at_once_without_leaving_anything(number: int) -> None:
    process, children, lines = started()
    began = time.monotonic()
    process.send_signal(number)
    output, errors = process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert process.returncode == 128 + number
    assert errors == ""
    assert "done quick" in lines
    assert output == "error interrupted\n"
    assert not any(map(alive, children))


def test_signals_in_quick_succession_do_no_more_harm() -> None:
    process, children, _ = started()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        process.send_signal(number)
    output, errors = process.communicate(timeout=10)
    assert process.returncode in (130, 143)
    assert (output, errors) == ("error interrupted\n", "")
    assert not any(map(alive, children))


def test_under_nohup_a_hangup_is_nothing() -> None:
    process, children, _ = started("nohup")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    assert all(map(alive, children))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 143
