"""What a mount shows of a context: as in BuildKit, not what the ignore file leaves out, which is in no key either."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.copying import copy_step
from zbuild.backend.rootfs import Rootfs
from zbuild.model.steps import CopyStep, Selection
from zbuild.plan.ignore import Ignore

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from zbuild.model.steps import ContextOrigin

_STATE = b".zbuild"  # left out of every context; a copy only for its sake would cost more than it is worth
_NUMBERS = itertools.count()


def less_ignored(origin: ContextOrigin, path: str, folder: Path, check: Callable[[], None], stack: ExitStack) -> Path:
    """Return a copy of a context's folder, in `folder`, without what is left out; it goes with the stack.

    `path` is the folder's in the context; `check` may raise to stop. When nothing is left out, the folder itself is
    returned. Raises OSError, and StageError for files that cannot be copied.
    """
    tree = os.fsencode(origin.path)
    with Rootfs(tree) as root:
        shown = Path(os.fsdecode(root.real(os.fsencode(path))))
    if not shown.is_dir() or not _leaves_out(origin, shown.resolve().relative_to(Path(origin.path).resolve())):
        return shown
    # The name is that of a temporary file of this process: what a killed one leaves is swept.
    copy = folder / f".shown.{os.getpid()}-{threading.get_ident()}-{next(_NUMBERS)}.tmp"
    copy.mkdir(mode=0o700, parents=True)
    stack.callback(shutil.rmtree, copy, ignore_errors=True)
    with Rootfs(os.fsencode(copy)) as root:
        copy_step(root, CopyStep(origin, Selection((path,)), "/"), tree, check)
    copy.chmod(stat.S_IMODE(shown.stat().st_mode))
    return copy


def _leaves_out(origin: ContextOrigin, top: Path) -> bool:
    """Tell whether the ignore file leaves out anything below a folder of the context."""
    ignore = Ignore(origin.ignore)
    prefix = os.fsencode(origin.path) + b"/"
    waiting = [b"".join(os.fsencode(part) + b"/" for part in top.parts)]
    while waiting:
        folder = waiting.pop()
        with os.scandir(prefix + folder) as entries:
            found = [entry for entry in entries if entry.name != _STATE]
        if any(ignore.excluded(folder + entry.name) for entry in found):
            return True
        waiting += [folder + entry.name + b"/" for entry in found if entry.is_dir(follow_symlinks=False)]
    return False
