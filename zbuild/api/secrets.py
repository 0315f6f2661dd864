"""The secrets and agents that stages get, and the check that none is lacking before anything runs."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.backend.secrets import missing_agent, missing_secret
from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostics
from zbuild.model.mounts import SecretMount, SshMount
from zbuild.model.steps import RunStep

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from zbuild.graph.types import Settings
    from zbuild.model.secrets import Agents, AgentSource, Secrets, SecretSource
    from zbuild.plan.describe import Described


@dataclass(frozen=True, slots=True)
class GivenSecrets:
    """What a command was given; it counts before what build files have. `root` is the workspace."""

    root: Path
    secrets: Secrets = ()
    agents: Agents = ()

    def secrets_of(self, settings: Settings) -> dict[str, SecretSource]:
        """Return where the secrets of a stage are found, by their ids."""
        found = {**dict(settings.secrets), **dict(self.secrets)}
        return {name: replace(source, file=self._path(source.file)) for name, source in found.items()}

    def agents_of(self, settings: Settings) -> dict[str, AgentSource]:
        """Return where the agents of a stage are found, by their ids."""
        found = {**dict(settings.ssh), **dict(self.agents)}
        return {name: replace(source, paths=tuple(map(self._path, source.paths))) for name, source in found.items()}

    def check(self, stages: Iterable[Described]) -> None:
        """See that stages have all secrets and agents they require. Raises BuildFileError with all that are lacking."""
        diagnostics = Diagnostics()
        for stage in stages:
            secrets, agents = self.secrets_of(stage.vertex.settings), self.agents_of(stage.vertex.settings)
            for step in stage.evaluation.steps:
                if isinstance(step, RunStep):
                    _check(step, secrets, agents, diagnostics)
        diagnostics.items[:] = dict.fromkeys(diagnostics.items)  # a stage that two images share is told of once
        diagnostics.check()

    def _path(self, path: str) -> str:
        return os.path.join(self.root, os.path.expanduser(path)) if path else ""  # noqa: PTH111, PTH118 - texts


def _check(
    step: RunStep, secrets: dict[str, SecretSource], agents: dict[str, AgentSource], diagnostics: Diagnostics
) -> None:
    for mount in step.mounts:
        if isinstance(mount, SecretMount) and mount.required:
            source = secrets.get(mount.id)
            reason = missing_secret(source) if source else "no place of it is given"
            if reason:
                hint = f"give it: --secret id={mount.id},src=FILE or ,env=VARIABLE, or 'secrets' in zbuild.yaml"
                message = f"the secret '{mount.id}' is needed and not there: {reason}"
                diagnostics.error("secret-missing", message, step.span, hint)
        elif isinstance(mount, SshMount) and mount.required:
            agent = agents.get(mount.id)
            reason = missing_agent(agent) if agent else "no place of it is given"
            if reason:
                hint = f"give it: --ssh {mount.id}=SOCKET or --ssh {mount.id}=KEYFILE, or 'ssh' in zbuild.yaml"
                message = f"the ssh agent '{mount.id}' is needed and not there: {reason}"
                diagnostics.error("agent-missing", message, step.span, hint)
