"""Secrets as variables of a RUN that `buildah run` carries out.

buildah 1.28 takes variables from its arguments alone, where every user of the machine can read them (`--env NAME`
without a value is dropped without a word). So they are put into the runtime's spec by a runtime that stands before the
real one. With TMPDIR buildah has its bundle in the folder in memory; a bundle elsewhere is refused.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.buildah.commands import Isolation
from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.model.ops import Pairs

# Called as `runtime [OPTION]… create --bundle FOLDER … ID` and as `runtime start ID`, `state`, `kill`, `delete`.
_PROGRAM = """\
import json, os, sys
folder, runtime, *arguments = sys.argv[1:]
if "create" in arguments:
    bundle = arguments[arguments.index("--bundle") + 1]
    if os.path.commonpath((folder, os.path.realpath(bundle))) != folder:
        sys.exit("zbuild: buildah's bundle is not in memory")
    with open(os.path.join(folder, "env.json")) as file:
        env = json.load(file)
    with open(os.path.join(bundle, "config.json"), "r+") as file:
        spec = json.load(file)
        kept = [entry for entry in spec["process"]["env"] if entry.partition("=")[0] not in env]
        spec["process"]["env"] = kept + [f"{name}={value}" for name, value in env.items()]
        file.seek(0)
        json.dump(spec, file)
        file.truncate()
os.execv(runtime, [runtime, "--root", os.path.join(folder, "state"), *arguments])
"""


@dataclass(frozen=True, slots=True)
class SecretEnv:
    """How buildah is called so that a RUN gets secrets as variables."""

    isolation: Isolation
    env: Pairs


@contextmanager
def with_secret_env(isolation: Isolation, env: Pairs, memory: Path) -> Iterator[SecretEnv]:
    """Write down in memory what the runtime in between needs, and say how buildah is called. Raises OSError."""
    _write(memory / "env.json", json.dumps(dict(env)), 0o600)
    _write(memory / "insert.py", _PROGRAM, 0o600)
    words = (sys.executable, "-IS", str(memory / "insert.py"), str(memory), isolation.runtime)
    # It holds no secret; and nothing can be executed in a /dev/shm as docker gives it to containers.
    with tempfile.TemporaryDirectory(prefix="zbuild-") as folder:
        runtime = Path(folder) / "runtime"
        _write(runtime, f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', 0o700)
        yield SecretEnv(Isolation(isolation.kind, str(runtime)), (("TMPDIR", str(memory)),))


def _write(file: Path, text: str, mode: int) -> None:
    with open(file, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, mode)) as opened:
        opened.write(text)
