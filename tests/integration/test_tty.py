"""The terminal display on a real pseudo-terminal, read back by a small terminal of our own."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from support.screen import Screen

TESTS = Path(__file__).parents[1]


def start(width: int, height: int, display: str, script: str, pause: float, **env: str) -> tuple[subprocess.Popen, int]:
    """Play a script on a new terminal; returns the process and our end of the terminal."""
    ours, theirs = pty.openpty()
    resize(ours, width, height)
    settings = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(TESTS), **env}
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        settings.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "support.play", display, script, str(pause)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**settings, **env},
        start_new_session=True,
    )
    os.close(theirs)
    return process, ours


def resize(terminal: int, width: int, height: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def written(terminal: int) -> str:
    """Read until the other end is closed, which Linux tells by EIO."""
    data = b""
    try:
        while part := os.read(terminal, 65536):
            data += part
    except OSError:
        pass
    os.close(terminal)
    return data.decode("utf-8", "replace").replace("\r\n", "\n\r")


def play(width: int, height: int, script: str, pause: float = 0.02, **env: str) -> tuple[Screen, str]:
    process, terminal = start(width, height, "auto", script, pause, **env)
    text = written(terminal)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, text
    return Screen(width).feed(text), out.decode().strip()


def test_the_screen_at_the_end_is_the_story_of_the_build() -> None:
    screen, _ = play(90, 24, "FAILURE")
    assert screen.foreign == []
    assert screen.cursor_shown
    assert screen.lines == [
        "zbuild: removed a container, left by a run that was cut off",
        "again   web: attempt 2: exit code 1",
        "built   api/builder in 1 min 02 s",
        "cached  api: what it reads came out equal (early cutoff)",
        "zbuild: api is tagged localhost/shop/api:1, localhost/shop/api:latest",
        "zbuild: warning: the store is nearly full",
        "failed  web: RUN npm ci: exit code 1",
        "",
        "STAGE        RESULT         TIME  WHY",
        "api/builder  built    1 min 02 s  file src/main.c changed",
        "api          cached       0.01 s  what it reads came out equal (early cutoff)",
        screen.lines[11],
        "shop         skipped              web failed",
        "",
        "web/Dockerfile:4:1: error[run-failed]: web: RUN npm ci: exit code 1",
        "    npm error missing lock",
        "",
        "    npm error see the log",
        "  the whole log: /ws/.zbuild/logs/web.log",
        "  hint: write a package-lock.json",
        "",
        "zbuild: build failed after 1 min 03 s: 1 failed, 1 skipped, 1 built, 3 cached",
        "",
    ]
    assert screen.lines[11].startswith("web          failed")


@pytest.mark.parametrize("width", [12, 40, 200])
@pytest.mark.parametrize("height", [3, 24])
def test_any_terminal_will_do(width: int, height: int) -> None:
    screen, _ = play(width, height, "SUCCESS", 0.0)
    assert screen.foreign == []
    assert screen.cursor_shown
    assert "7 stages done" in "".join(screen.lines)
    assert not any(line.startswith("7/7") for line in screen.lines), "the live region is gone"


def test_nothing_to_do_needs_no_rich() -> None:
    screen, rich = play(80, 24, "NOTHING")
    assert screen.lines == ["zbuild: 2 images up to date (0.07 s)", ""]
    assert rich == "False"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_other_encodings(encoding: str) -> None:
    screen, _ = play(80, 24, "SUCCESS", 0.02, PYTHONIOENCODING=encoding)
    assert screen.foreign == []
    assert "zbuild: 7 stages done in 1 min 03 s: 2 built, 1 pulled, 3 cached" in screen.lines


def test_a_terminal_that_changes_its_size_while_it_draws() -> None:
    process, terminal = start(100, 30, "auto", "SUCCESS", 0.1)
    for width, height in ((40, 10), (15, 4), (120, 40)):
        time.sleep(0.5)
        resize(terminal, width, height)
        os.killpg(process.pid, signal.SIGWINCH)
    text = written(terminal)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in text
    assert "7 stages done in 1 min 03 s" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_a_terminal_that_goes_away_does_not_end_the_build() -> None:
    process, terminal = start(80, 24, "auto", "SUCCESS", 0.05)
    os.read(terminal, 10)
    os.close(terminal)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.decode().strip() == "True"


def test_ctrl_c_gives_the_cursor_back() -> None:
    process, terminal = start(80, 24, "auto", "SUCCESS", 0.3)
    time.sleep(2.5)
    os.killpg(process.pid, signal.SIGINT)
    text = written(terminal)
    process.communicate(timeout=30)
    assert "\x1b[?25l" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
