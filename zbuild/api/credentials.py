"""Logging in to registries."""

from __future__ import annotations

from zbuild.backend.buildah import credentials
from zbuild.backend.process import Runner
from zbuild.base.errors import UsageError
from zbuild.base.reference import is_registry


def login(registry: str, user: str, password: str) -> None:
    """Try a user and password at a registry, and keep them for what pushes and pulls. Raises RegistryError."""
    credentials.login(Runner(), _checked(registry), user, password)


def logout(registry: str) -> None:
    """Forget the user and password of a registry. Raises RegistryError when none are kept."""
    credentials.logout(Runner(), _checked(registry))


def _checked(registry: str) -> str:
    if not is_registry(registry):
        hint = "write it like registry.example.com or localhost:5000"
        raise UsageError("bad-reference", f"'{registry}' is not a registry", hint=hint)
    return registry
