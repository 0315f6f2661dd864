"""Chooses the backend: what the command line asks for, then ZBUILD_BACKEND, then what fits the host."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from zbuild.base.errors import UsageError
from zbuild.base.text import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.backend.buildah.facts import Memory
    from zbuild.backend.protocol import Backend

VARIABLE = "ZBUILD_BACKEND"
BACKENDS = ("buildah", "fake")


def choose_backend(name: str, *, workspace: Path, state: Path, memory: Memory) -> Backend:
    """Return the backend to use; a name that is given is never replaced by another backend.

    `state` is the workspace's `.zbuild` folder; `memory` keeps what is learned of the machine. Nothing is probed yet.
    Raises UsageError for an unknown name, and where no backend is made for this host.
    """
    asked = name or os.environ.get(VARIABLE, "")
    if asked and asked not in BACKENDS:
        where = "" if name else f" (from {VARIABLE})"
        hint = did_you_mean(asked, BACKENDS) or f"there are: {', '.join(BACKENDS)}"
        raise UsageError("unknown-backend", f"there is no backend '{asked}'{where}", hint=hint)
    # Imported when chosen: a run that finds nothing to do should load no more than it uses.
    if (asked or _by_host()) == "fake":
        from zbuild.backend.fake.backend import FakeBackend  # noqa: PLC0415

        return FakeBackend(state / "fake")
    from zbuild.backend.buildah.backend import BuildahBackend  # noqa: PLC0415

    return BuildahBackend(workspace, state, memory)


def _by_host() -> str:
    if sys.platform != "linux":
        raise UsageError("no-backend", f"there is no backend for {sys.platform} yet", hint="run zbuild on Linux")
    return "buildah"
