"""The commands of buildah and skopeo that write to registries, as pure functions.

`reference` is in full, with a tag; `repository` has neither tag nor digest. `insecure`: without TLS. `index`: a list of
images is meant, and itself alone. Both programs find
credentials by themselves: REGISTRY_AUTH_FILE, containers' auth.json, docker's config.json with its helpers.
"""

from __future__ import annotations

from zbuild.backend.command import Command

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
