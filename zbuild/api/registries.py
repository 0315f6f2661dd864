"""The registry client as commands use it: with this user's credentials and this machine's settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zbuild.backend.command import Command
from zbuild.backend.process import Runner
from zbuild.base.errors import BackendError
from zbuild.oci.credentials import CredentialFiles
from zbuild.oci.hosts import Hosts
from zbuild.oci.registry import Registry

if TYPE_CHECKING:
    from zbuild.oci.retries import Limits

_HELPER_TIMEOUT = 30.0


def open_registry(runner: Runner | None = None, limits: Limits | None = None) -> Registry:
    """Return a client, to be closed; `runner` starts credential helpers. Raises UsageError for wrong settings."""
    runner = runner or Runner()

    def run_helper(argv: tuple[str, ...], stdin: bytes) -> str | None:
        try:
            done = runner.run(Command(argv, stdin=stdin, timeout=_HELPER_TIMEOUT))
        except BackendError:  # a helper that is not installed knows nothing
            return None
        return None if done.returncode else done.stdout

    return Registry(Hosts.read(os.environ), CredentialFiles(os.environ, run_helper).find, limits)
