"""The folders of the stages' logs: one for each run, the latest kept."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.state.folder import StateFolder

_KEPT_LOGS = 20


def log_folder(folder: StateFolder) -> Path:
    """Make the folder for this run's logs, and remove those of all but the latest runs."""
    old = sorted(path for path in folder.logs.iterdir() if path.is_dir())
    for path in old[: max(0, len(old) - _KEPT_LOGS)]:
        shutil.rmtree(path, ignore_errors=True)
    logs = folder.logs / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{time.monotonic_ns()}"
    logs.mkdir(mode=0o700)
    return logs


def drop_if_empty(folder: Path) -> None:
    """Remove the folder of a run that logged nothing."""
    if not any(folder.iterdir()):
        folder.rmdir()
