"""The command line as a process: what it imports, and what becomes of it when nobody reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"yaml", "jsonschema", "doit", "rich", "sqlite3", "zbuild.api.workspace"}
ZBUILD = [sys.executable, "-c", "import sys; from zbuild.cli.entry import main; sys.exit(main())"]


def imported(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split("\n"))


def test_resolving_a_command_imports_nothing_heavy() -> None:
    modules = imported("from zbuild.cli.main import zbuild; zbuild.get_command(None, 'build')")
    assert "zbuild.cli.build" in modules
    assert not modules & HEAVY
    assert not modules & {"zbuild.cli.plan", "zbuild.cli.explain", "zbuild.cli.graph"}


def test_the_entry_imports_next_to_nothing() -> None:
    modules = imported("import zbuild.cli.entry")
    assert not modules & (HEAVY | {"click", "zbuild.cli.main", "pathlib", "dataclasses"})


def test_checking_build_files_brings_no_grammar_along() -> None:
    """jsonschema imports rfc3987_syntax where it is installed, which reads a grammar for seconds."""
    modules = imported("from zbuild.syntax.schema import _checker; _checker('zbuild')")
    assert "jsonschema" in modules
    assert not modules & {"rfc3987_syntax", "lark", "isoduration", "arrow"}
    modules = imported("from zbuild.syntax.schema import _checker; _checker('zbuild'); import rfc3987_syntax")
    assert "rfc3987_syntax" in modules


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_early_is_no_error(unbuffered: str) -> None:
    read, write = os.pipe()
    os.close(read)
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run([*ZBUILD, "--help"], stdout=write, stderr=subprocess.PIPE, env=env, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_told_once(unbuffered: str) -> None:
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*ZBUILD, "--help"], stdout=full, stderr=subprocess.PIPE, env=env, check=False)
    assert (done.returncode, done.stderr) == (3, b"error[system]: No space left on device\n")


def test_closed_standard_streams_do_no_harm() -> None:
    command = 'exec "$@" >&- 2>&- <&-'
    done = subprocess.run(["sh", "-c", command, "sh", *ZBUILD, "bild"], check=False)
    assert done.returncode == 2
