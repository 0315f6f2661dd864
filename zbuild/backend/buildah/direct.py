"""Whether a RUN is carried out by the OCI runtime itself: where it gives what buildah would, and ZBUILD_RUN lets it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zbuild.backend.buildah.run_mount import Bind
from zbuild.base.errors import BackendError, UsageError
from zbuild.base.text import did_you_mean
from zbuild.model.mounts import BindMount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.backend.buildah.facts import Facts
    from zbuild.backend.buildah.run_mount import RunMount
    from zbuild.model.steps import RunStep

RUN_VARIABLE = "ZBUILD_RUN"
# The networks that need nothing set up; buildah makes the others.
NETWORKS = ("host", "none")
_WAYS = ("auto", "direct", "buildah")


def goes_direct(facts: Facts) -> bool:
    """Tell whether RUN goes directly where it can, by what was found and by ZBUILD_RUN (auto, direct, buildah).

    Raises UsageError for another value, BackendError when `direct` is asked for and does not work here.
    """
    way = asked_way()
    if way == "direct" and not facts.template:
        message = f"RUN cannot go directly to the runtime: {facts.not_direct}"
        raise BackendError("not-direct", message, hint=f"unset {RUN_VARIABLE}")
    return way != "buildah" and bool(facts.template)


def asked_way() -> str:
    """Return what ZBUILD_RUN asks for: auto, direct or buildah. Raises UsageError for another value."""
    way = os.environ.get(RUN_VARIABLE) or "auto"
    if way not in _WAYS:
        hint = did_you_mean(way, _WAYS) or f"there are: {', '.join(_WAYS)}"
        raise UsageError("unknown-run", f"{RUN_VARIABLE} cannot be '{way}'", hint=hint)
    return way


def fits(step: RunStep, mounts: Sequence[RunMount]) -> bool:
    """Tell whether a step can go directly.

    Left to buildah: binds whose changes are dropped, and texts that JSON cannot hold.
    """
    dropped = any(isinstance(mount, Bind) and mount.access == "O" for mount in mounts)
    return not dropped and _is_text(step)


def needs_buildah(step: RunStep) -> bool:
    """Tell whether a step cannot go directly, whatever its mounts come to."""
    dropped = any(isinstance(mount, BindMount) and mount.readwrite for mount in step.mounts)
    return dropped or step.network not in ("", "default", *NETWORKS) or not _is_text(step)


def _is_text(step: RunStep) -> bool:
    words = (*step.argv, step.workdir, step.user, *(text for pair in (*step.env, *step.proxies) for text in pair))
    try:
        "".join(words).encode()
    except UnicodeEncodeError:
        return False
    return True
