"""Secrets and agents lent to one RUN: files and sockets in memory, gone when it has ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.memory import memory_folder
from zbuild.backend.secrets import missing_agent, parts_to_hide, read_secret
from zbuild.base.dataclass import dataclass
from zbuild.base.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    from zbuild.backend.process import Runner
    from zbuild.model.mounts import SecretMount, SshMount
    from zbuild.model.secrets import AgentSource, SecretSource
    from zbuild.model.steps import RunStep


@dataclass(frozen=True, slots=True)
class Lenders:
    """Where the secrets and agents of a stage are found, by their ids."""

    secrets: Mapping[str, SecretSource]
    agents: Mapping[str, AgentSource]
    runner: Runner


class Lending:
    """What is lent to one RUN. `env` are secrets that are variables, `hidden` texts that must not be shown.

    `folder` is where in memory it lies, None as long as there is nothing.
    """

    def __init__(self, step: RunStep, lenders: Lenders, name: str, stack: ExitStack) -> None:
        self._step = step
        self._lenders = lenders
        self._name = name
        self._stack = stack
        self._count = 0
        self.folder: Path | None = None
        self.env: dict[str, str] = {}
        self.hidden: list[str] = []

    def secret(self, mount: SecretMount) -> Path | None:
        """Read a secret, and return the file to be shown at its target; None when there is none to show.

        Raises StageError for a required one that is not given, BackendError for one that cannot be read.
        """
        source = self._lenders.secrets.get(mount.id)
        value = None if source is None else read_secret(source)
        if value is None:
            if mount.required:
                raise StageError("secret-missing", f"the secret '{mount.id}' is not given", span=self._step.span)
            return None
        self.hidden += parts_to_hide(value)
        if mount.env:
            self._place()  # the variables lie in memory, too
            self.env[mount.env] = self._text(mount, value)
        if not mount.target:
            return None
        file = self._place()
        with open(file, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as opened:
            opened.write(value)
            os.fchown(opened.fileno(), mount.uid, mount.gid)
            os.fchmod(opened.fileno(), int(mount.mode, 8))
        return file

    def agent(self, mount: SshMount) -> Path | None:
        """Return the socket to be shown at an agent's target; None when no agent is given.

        Raises StageError for a required one, and for keys that cannot be used.
        """
        source = self._lenders.agents.get(mount.id)
        if source is None or missing_agent(source):
            if mount.required:
                raise StageError("agent-missing", f"the ssh agent '{mount.id}' is not given", span=self._step.span)
            return None
        from zbuild.backend.agents import key_agent, lent_agent  # noqa: PLC0415 - few commands ask for an agent

        paths = source.paths or (os.environ["SSH_AUTH_SOCK"],)
        agent = paths[0]
        if not Path(agent).is_socket():
            agent = str(self._place())
            self._stack.enter_context(key_agent(self._lenders.runner, agent, paths, self._step.span))
        place = self._place()
        self._stack.enter_context(lent_agent(agent, place, int(mount.mode, 8), (mount.uid, mount.gid)))
        return place

    def _place(self) -> Path:
        """Return a path in memory that nothing is at."""
        if self.folder is None:
            self.folder = self._stack.enter_context(memory_folder(self._name))
        self._count += 1
        return self.folder / str(self._count)

    def _text(self, mount: SecretMount, value: bytes) -> str:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            hint = "mount it as a file, without 'env'"
            message = f"the secret '{mount.id}' is no text, and cannot be a variable"
            raise StageError("bad-secret", message, span=self._step.span, hint=hint)
        return text
