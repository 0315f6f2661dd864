"""Where secrets and agents are found. Only the places are here, never what is there."""

from __future__ import annotations

from typing import TypeAlias

from zbuild.base.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class SecretSource:
    """A secret's place: a file of this machine, or a variable of zbuild's own environment."""

    file: str = ""
    env: str = ""

    def __str__(self) -> str:
        return f"the file {self.file}" if self.file else f"the variable {self.env}"


@dataclass(frozen=True, slots=True)
class AgentSource:
    """An agent's place: its socket, or files of keys, which an agent of zbuild's own takes. () is SSH_AUTH_SOCK's."""

    paths: tuple[str, ...] = ()


Secrets: TypeAlias = "tuple[tuple[str, SecretSource], ...]"
Agents: TypeAlias = "tuple[tuple[str, AgentSource], ...]"
