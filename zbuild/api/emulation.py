"""The check that RUN of other platforms can be carried out here, before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.faults import cannot_start
from zbuild.base.errors import BackendError
from zbuild.base.platform import host_platform
from zbuild.model.steps import RunStep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbuild.backend.protocol import Backend
    from zbuild.plan.describe import Described


def check_runs(stages: Iterable[Described], backend: Backend) -> None:
    """See that this machine can start the commands of stages. Raises BackendError with the first that it cannot."""
    host = host_platform()
    for stage in stages:
        platform = stage.vertex.platform
        step = next((step for step in stage.evaluation.steps if isinstance(step, RunStep)), None)
        reason = backend.cannot_run(platform) if step and platform != host else ""
        if step and reason:
            error = cannot_start(step, platform, reason)
            raise BackendError(error.code, error.message, span=error.span, hint=error.hint)
