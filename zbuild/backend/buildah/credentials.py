"""Logging in to registries: by buildah, which podman and skopeo share their credentials with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.buildah import registry_commands
from zbuild.backend.registry_faults import registry_error, said
from zbuild.base.errors import RegistryError
from zbuild.base.loopback import is_loopback

if TYPE_CHECKING:
    from zbuild.backend.process import Runner


def login(runner: Runner, registry: str, user: str, password: str) -> None:
    """Try a user and password, and keep them where REGISTRY_AUTH_FILE says, or in auth.json.

    Raises RegistryError when the registry does not take them, or cannot be asked.
    """
    done = runner.run(registry_commands.login(registry, user, password, insecure=is_loopback(registry)))
    if not done.returncode:
        return
    cause = said(done.stderr)
    if "invalid username/password" in cause:
        raise RegistryError("login-refused", f"{registry} does not accept this user and password")
    raise registry_error(f"cannot log in to {registry}", registry, cause)


def logout(runner: Runner, registry: str) -> None:
    """Forget the credentials of a registry. Raises RegistryError when there are none."""
    done = runner.run(registry_commands.logout(registry))
    if done.returncode:
        raise RegistryError("not-logged-in", f"cannot log out: {said(done.stderr)}")
