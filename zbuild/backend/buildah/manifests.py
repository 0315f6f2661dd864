"""Lists of images that users put together by hand, in buildah's store."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.buildah import registry_commands
from zbuild.backend.buildah.registry_calls import PAUSES, call_registry
from zbuild.backend.registry_faults import registry_error, said
from zbuild.base.errors import BackendError, RegistryError, UsageError
from zbuild.base.loopback import is_loopback
from zbuild.base.reference import parse_reference

if TYPE_CHECKING:
    from zbuild.backend.command import Command
    from zbuild.backend.process import Runner
    from zbuild.base.platform import Platform
    from zbuild.model.ops import Pairs

_UNKNOWN = ("image not known", "no such image", "identifier is not an image")


def create(runner: Runner, name: str, *, amend: bool) -> None:
    """Make an empty list, or with `amend` leave one that is there. Raises UsageError for a name that is taken."""
    done = runner.run(registry_commands.create_list(name, amend=amend))
    if done.returncode:
        cause = said(done.stderr)
        if "already in use" in cause:
            raise UsageError("name-taken", f"there is an image or a list named {name}", hint="use --amend to add to it")
        raise BackendError("buildah-failed", f"cannot make the list {name}: {cause}")


def discard(runner: Runner, name: str) -> None:
    """Remove a list, even when cancelled; what comes of it is not told, for something else has failed before."""
    runner.run(registry_commands.remove_list(name), cleanup=True)


def add(runner: Runner, name: str, image: str, platform: Platform | None, annotations: Pairs) -> None:
    """Put an image of the store, or else of its registry, into a list. Raises UsageError and RegistryError."""
    if not is_list(runner, name):
        raise UsageError("no-list", f"there is no list named {name}", hint=f"'zbuild manifest create {name}' makes one")
    stored = registry_commands.add_to_list(name, f"containers-storage:{image}", platform, annotations)
    done = runner.run(stored)
    if not done.returncode:
        return
    cause = said(done.stderr)
    domain = parse_reference(image).domain
    if not any(sign in cause for sign in _UNKNOWN):
        raise BackendError("buildah-failed", f"cannot add {image} to {name}: {cause}")
    if domain == "localhost":
        raise UsageError("image-missing", f"there is no image {image} in the store")
    insecure = is_loopback(domain)
    remote = registry_commands.add_to_list(name, f"docker://{image}", platform, annotations, insecure=insecure)
    call_registry(runner, remote, "add", image)


def push(runner: Runner, name: str, destination: str) -> str:
    """Push a list and all that is in it; return its digest in the registry. Raises UsageError and RegistryError."""
    if not is_list(runner, name):
        raise UsageError("no-list", f"there is no list named {name}")
    with tempfile.TemporaryDirectory(prefix="zbuild-") as folder:
        file = Path(folder, "digest")
        insecure = is_loopback(parse_reference(destination).domain)
        command = registry_commands.push_list(name, destination, str(file), insecure=insecure)
        for pause in (*PAUSES, 0.0):
            call_registry(runner, command, "push", destination)
            # buildah 1.28 says nothing, and ends well, when a registry refuses a manifest; but there is no digest then.
            if digest := file.read_text(encoding="utf-8"):
                return digest
            _check_reached(runner, destination, insecure=insecure)
            runner.sleep(pause)
    hint = f"look at what the registry of {destination} logs"
    raise RegistryError("registry-failed", f"cannot push {destination}: the registry takes no manifest", hint=hint)


def _check_reached(runner: Runner, destination: str, *, insecure: bool) -> None:
    """Raise RegistryError when a registry cannot be spoken to; buildah says nothing of that, either."""
    done = runner.run(registry_commands.find_manifest(destination, insecure=insecure))
    if done.returncode:
        error = registry_error(f"cannot push {destination}", parse_reference(destination).domain, said(done.stderr))
        if error.code != "registry-failed":  # that there is no such manifest yet is no news
            raise error


def is_list(runner: Runner, name: str) -> bool:
    """Tell whether a list of that name is in the store."""
    return runner.run(registry_commands.find_list(name)).returncode == 0


def inspect(runner: Runner, name: str) -> str:
    """Return a list of the store as JSON. Raises BackendError."""
    return _output(runner, registry_commands.inspect_list(name))


def _output(runner: Runner, command: Command) -> str:
    done = runner.run(command)
    if done.returncode:
        raise BackendError("buildah-failed", f"buildah {command.argv[1]} failed: {said(done.stderr)}")
    return done.stdout
