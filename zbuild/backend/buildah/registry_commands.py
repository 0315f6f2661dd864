"""The commands of buildah and skopeo that write to registries, as pure functions.

`reference` is in full, with a tag; `repository` has neither tag nor digest. `insecure`: without TLS. `index`: a list of
images is meant, and itself alone. Both programs find
credentials by themselves: REGISTRY_AUTH_FILE, containers' auth.json, docker's config.json with its helpers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.command import Command

if TYPE_CHECKING:
    from zbuild.base.platform import Platform
    from zbuild.model.ops import Pairs

# A registry that never answers would hold a push for ever; large images on slow lines need their time.
_TIMEOUT = 3600.0


def push(image_id: str, reference: str, digest_file: str, *, insecure: bool) -> Command:
    """Push an image to a tag, and write the digest of its manifest there to a file."""
    flags = ("--quiet", "--digestfile", digest_file, *_verify("--tls-verify", insecure=insecure))
    return Command(("buildah", "push", *flags, image_id, f"docker://{reference}"), timeout=_TIMEOUT)


def export(image_id: str, folder: str, digest_file: str) -> Command:
    """Write an image to a folder as a registry would hold it, layers compressed, and its digest to a file."""
    return Command(("buildah", "push", "--quiet", "--digestfile", digest_file, image_id, f"dir:{folder}"))


def upload(folder: str, repository: str, digest: str, *, index: bool = False, insecure: bool) -> Command:
    """Put an exported image into a repository under its digest, without a tag."""
    flags = (*_index(index=index), *_verify("--dest-tls-verify", insecure=insecure))
    return _copy(f"dir:{folder}", f"docker://{repository}@{digest}", *flags)


def set_tag(reference: str, repository: str, digest: str, *, index: bool = False, insecure: bool) -> Command:
    """Let a tag of a repository be what is there under a digest."""
    verify = (
        *_index(index=index),
        *_verify("--src-tls-verify", insecure=insecure),
        *_verify("--dest-tls-verify", insecure=insecure),
    )
    return _copy(f"docker://{repository}@{digest}", f"docker://{reference}", *verify)


def create_list(name: str, *, amend: bool) -> Command:
    """Make an empty list; with `amend` one that is there is left as it is."""
    return Command(("buildah", "manifest", "create", *(("--amend",) if amend else ()), name))


def add_to_list(
    name: str, image: str, platform: Platform | None, annotations: Pairs, *, insecure: bool = False
) -> Command:
    """Put an image, named with its transport, into a list, for its own platform or the one given."""
    flags = [*_verify("--tls-verify", insecure=insecure)]
    if platform:
        parts = (("--os", platform.os), ("--arch", platform.architecture), ("--variant", platform.variant))
        flags += [word for flag, value in parts if value for word in (flag, value)]
    for key, value in annotations:
        flags += ["--annotation", f"{key}={value}"]
    return Command(("buildah", "manifest", "add", *flags, name, image), timeout=_TIMEOUT)


def push_list(name: str, reference: str, digest_file: str, *, insecure: bool) -> Command:
    """Push a list to a tag, all that is in it before, and write the list's digest there to a file."""
    flags = ("--all", "--quiet", "--digestfile", digest_file, *_verify("--tls-verify", insecure=insecure))
    return Command(("buildah", "manifest", "push", *flags, name, f"docker://{reference}"), timeout=_TIMEOUT)


def remove_list(name: str) -> Command:
    """Remove a list from the store; the images in it stay."""
    return Command(("buildah", "manifest", "rm", name))


def find_manifest(reference: str, *, insecure: bool) -> Command:
    """Print the manifest that a registry has under a tag."""
    flags = _verify("--tls-verify", insecure=insecure)
    return Command(("skopeo", "inspect", "--raw", *flags, f"docker://{reference}"), timeout=_TIMEOUT)


def find_list(name: str) -> Command:
    """Succeed when a list of that name is in the store."""
    return Command(("buildah", "manifest", "exists", name))


def inspect_list(name: str) -> Command:
    """Print a list of the store as JSON."""
    return Command(("buildah", "manifest", "inspect", name))


def login(registry: str, user: str, password: str, *, insecure: bool) -> Command:
    """Try a user and password, and keep them for later; the password goes through stdin."""
    flags = ("--username", user, "--password-stdin", *_verify("--tls-verify", insecure=insecure))
    return Command(
        ("buildah", "login", *flags, registry), stdin=password.encode(), timeout=_TIMEOUT, redact=(password,)
    )


def logout(registry: str) -> Command:
    """Forget the user and password of a registry."""
    return Command(("buildah", "logout", registry))


def _copy(source: str, target: str, *flags: str) -> Command:
    argv = ("skopeo", "copy", "--quiet", "--preserve-digests", "--retry-times", "3", *flags, source, target)
    return Command(argv, timeout=_TIMEOUT)


def _index(*, index: bool) -> tuple[str, ...]:
    return ("--multi-arch", "index-only") if index else ()


def _verify(flag: str, *, insecure: bool) -> tuple[str, ...]:
    return (f"{flag}=false",) if insecure else ()
