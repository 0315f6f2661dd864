"""The commands that RUN knows in the fake backend: enough to test what is done with results, failures and time."""

from __future__ import annotations

import os
import shlex
from dataclasses import field
from io import BytesIO
from typing import TYPE_CHECKING

from zbuild.backend.rootfs import Attributes
from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from zbuild.backend.rootfs import Rootfs
    from zbuild.model.steps import RunStep

TIMED_OUT = -1
CANCELLED = -2
_NOT_FOUND = 127
_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class FakeRun:
    """What a command may use: the image's root, a way to say a line, and what wakes it when the build is stopped.

    `files` are those mounted, by their targets.
    """

    root: Rootfs
    step: RunStep
    say: Callable[[str], None]
    stop: threading.Event
    files: Mapping[str, Path] = field(default_factory=dict)


def run_command(run: FakeRun) -> int:
    """Run a step's command and return its exit code, TIMED_OUT or CANCELLED; a shell's text is split into words."""
    argv = run.step.argv
    name, *arguments = shlex.split(argv[2]) if argv[:2] == _SHELL else argv
    command = _COMMANDS.get(name.rpartition("/")[2])
    if command is None:
        run.say(f"{name}: not found")
        return _NOT_FOUND
    return command(run, arguments)


def _write(run: FakeRun, arguments: list[str]) -> int:
    """Write TEXT to a file: `write PATH TEXT`."""
    path, text = arguments
    run.root.put_file(os.fsencode(path), BytesIO(text.encode()), Attributes(0o644))
    return 0


def _say(run: FakeRun, arguments: list[str]) -> int:
    """Print a line: `say TEXT`. `$NAME` is a variable of the step."""
    env = dict(run.step.env)
    run.say(" ".join(env.get(word[1:], "") if word.startswith("$") else word for word in arguments))
    return 0


def _cat(run: FakeRun, arguments: list[str]) -> int:
    """Print a mounted file: `cat PATH`; without it, end with 1."""
    file = run.files.get(arguments[0])
    for line in file.read_text().splitlines() if file else ():
        run.say(line)
    return 0 if file else 1


def _fail(run: FakeRun, arguments: list[str]) -> int:
    """Say a line and end with an exit code: `fail CODE TEXT`."""
    code, *text = arguments
    run.say(" ".join(text))
    return int(code)


def _sleep(run: FakeRun, arguments: list[str]) -> int:
    """Wait: `sleep SECONDS`."""
    seconds = float(arguments[0])
    limit = run.step.timeout / 1e9 or seconds
    if run.stop.wait(min(seconds, limit)):
        return CANCELLED
    return TIMED_OUT if limit < seconds else 0


_COMMANDS = {"write": _write, "say": _say, "cat": _cat, "fail": _fail, "sleep": _sleep}
