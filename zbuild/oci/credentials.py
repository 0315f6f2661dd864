"""Finds users and passwords where `zbuild login`, podman, skopeo and docker keep them (containers-auth.json(5)).

Credential helpers are processes, and this package starts none: whoever makes a finder says how they are run.
"""

from __future__ import annotations

import os
from base64 import b64decode
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import UsageError
from zbuild.oci.documents import decode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Runs a program with these arguments and this stdin; returns its stdout, None when it fails.
RunHelper: TypeAlias = "Callable[[tuple[str, ...], bytes], str | None]"

_HUB = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"  # what docker calls it in its files, and to its helpers
_TOKEN_USER = "<token>"  # noqa: S105 - what a helper gives as the user when the secret is an identity token


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and password, or the identity token that docker keeps instead."""

    user: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


# Finds the credentials for a registry and a repository's path there, None where none are kept.
FindCredentials: TypeAlias = "Callable[[str, str], Credentials | None]"


class CredentialFiles:
    """Reads credentials from the files of `environment`'s user; each file is read once."""

    def __init__(self, environment: Mapping[str, str], run_helper: RunHelper) -> None:
        self._files = tuple(_files(environment))
        self._run_helper = run_helper
        self._read: dict[Path, dict[str, Any]] = {}
        self._found: dict[tuple[str, str], Credentials | None] = {}

    def find(self, registry: str, path: str) -> Credentials | None:
        """Return what is kept for a repository, or else for its registry. Raises UsageError for a broken file."""
        if (registry, path) not in self._found:
            found = (self._in_file(file, registry, path) for file in self._files)
            self._found[registry, path] = next((one for one in found if one is not None), None)
        return self._found[registry, path]

    def _in_file(self, file: Path, registry: str, path: str) -> Credentials | None:
        if file not in self._read:
            self._read[file] = _load(file)
        kept = self._read[file]
        helper = (kept.get("credHelpers") or {}).get(registry) or kept.get("credsStore")
        if helper:
            found = self._from_helper(str(helper), registry)
            if found is not None:
                return found
        entries = {_normal(str(key)): value for key, value in (kept.get("auths") or {}).items()}
        for key in _keys(registry, path):
            if isinstance(entries.get(key), dict) and entries[key]:
                return _decoded(entries[key])
        return None

    def _from_helper(self, helper: str, registry: str) -> Credentials | None:
        server = _HUB_KEY if registry == _HUB else registry
        told = self._run_helper((f"docker-credential-{helper}", "get"), server.encode())
        try:
            answer = decode_json(told or "{}")
        except ValueError:
            return None
        if not answer.get("Secret"):
            return None
        user, secret = str(answer.get("Username", "")), str(answer["Secret"])
        return Credentials(user, identity_token=secret) if user == _TOKEN_USER else Credentials(user, secret)


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files that may hold credentials, the first one to win: one that is named is the only one."""
    if environment.get("REGISTRY_AUTH_FILE"):
        yield Path(environment["REGISTRY_AUTH_FILE"])
        return
    home = Path(environment.get("HOME") or "/")
    runtime = environment.get("XDG_RUNTIME_DIR")
    yield Path(runtime, "containers/auth.json") if runtime else Path(f"/run/containers/{os.getuid()}/auth.json")
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "containers/auth.json")
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker", "config.json")


def _load(file: Path) -> dict[str, Any]:
    try:
        return decode_json(file.read_bytes() or b"{}")
    except OSError:
        return {}
    except ValueError:
        message = f"{file} holds no JSON: the credentials in it cannot be read"
        raise UsageError("bad-auth-file", message, hint="correct it, or log in anew") from None


def _normal(key: str) -> str:
    """Return a key of `auths` as a registry, or a registry and a path: docker writes URLs there."""
    if "://" in key:
        key = key.partition("://")[2].partition("/")[0]
    key = key.rstrip("/")
    return _HUB if key in ("index.docker.io", "registry-1.docker.io", "index.docker.io/v1") else key


def _keys(registry: str, path: str) -> Iterator[str]:
    """Yield what credentials may be kept under, the most telling first."""
    parts = path.split("/")
    for count in range(len(parts), 0, -1):
        yield "/".join((registry, *parts[:count]))
    yield registry


def _decoded(entry: Mapping[str, Any]) -> Credentials | None:
    user, password = str(entry.get("username", "")), str(entry.get("password", ""))
    if entry.get("auth"):
        try:
            user, _, password = b64decode(str(entry["auth"])).decode().partition(":")
        except ValueError:
            return None
    token = str(entry.get("identitytoken") or "")
    return Credentials(user, password.rstrip("\0"), token) if user or token else None
