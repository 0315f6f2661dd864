"""The console script. It imports next to nothing, so that a run with nothing to do costs next to nothing."""

from __future__ import annotations

import gc
import os
import sys

# Modules are made of objects that stay: to look through them for garbage while they are imported costs 5 ms.
_OBJECTS = 100_000
_INTERRUPTED = 130  # 128 + SIGINT


def script() -> None:
    """Run zbuild as a process of its own, and end that without taking the interpreter down: that takes 14 ms.

    Whatever is to be kept is on the disk by then, and the rest the system takes back anyway.
    """
    code = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # it is closed, or nobody reads it
            sys.exit(code)
    os._exit(code)


def main() -> int:
    """Run zbuild with the process's arguments and return its exit code."""
    argv = sys.argv[1:]
    try:
        code = _quickly(argv)
        return _wholly(argv) if code is None else code
    except KeyboardInterrupt:  # while modules were being imported; later ones are seen to in cli.main
        return _INTERRUPTED


def _quickly(argv: list[str]) -> int | None:
    from zbuild.cli.quick import try_quick  # noqa: PLC0415 - nothing is imported before it is needed

    try:
        return try_quick(argv)
    except OSError:  # the long way meets the same trouble, and knows how to tell it
        return None


def _wholly(argv: list[str]) -> int:
    gc.set_threshold(_OBJECTS)
    from zbuild.cli.main import run  # noqa: PLC0415 - brings click along

    return run(argv)
