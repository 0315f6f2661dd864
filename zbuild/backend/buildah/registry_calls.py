"""Commands that speak to a registry, run again after a while when the registry is busy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.registry_faults import is_busy, registry_error, said
from zbuild.base.reference import parse_reference

if TYPE_CHECKING:
    from zbuild.backend.command import Command
    from zbuild.backend.process import Runner

# buildah and skopeo try again by themselves when a connection fails, but not when a registry says that it is busy.
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)


def call_registry(runner: Runner, command: Command, what: str, place: str) -> None:
    """Run a command; `what` it does and the reference or repository `place` are told where it fails.

    Raises RegistryError, BackendError, InterruptedBuildError.
    """
    for pause in (*PAUSES, 0.0):
        done = runner.run(command)
        if not done.returncode:
            return
        cause = said(done.stderr) or f"exit code {done.returncode}"
        if not pause or not is_busy(cause):
            raise registry_error(f"cannot {what} {place}", parse_reference(place).domain, cause)
        runner.sleep(pause)
