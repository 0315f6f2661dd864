"""git's commands as data. Credentials are in the environment alone, prompts and hooks are off."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING

from zbuild.backend.command import Command

if TYPE_CHECKING:
    from zbuild.model.ops import Pairs
    from zbuild.model.remote import GitOrigin

_ASKING = 120.0  # seconds to list a repository's branches
_FETCHING = 3600.0
_LOCAL = 600.0
# Settings of a user or a machine that would change which files a commit comes to, or run something.
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.autocrlf": "false",
    "core.symlinks": "true",
    "core.fileMode": "true",
    "filter.lfs.smudge": "",
    "filter.lfs.process": "",
    "filter.lfs.required": "false",
    "submodule.recurse": "false",
    "protocol.file.allow": "user",
    "protocol.ext.allow": "never",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
    "advice.detachedHead": "false",
    "init.defaultBranch": "main",
}
# What git sets for its hooks: zbuild may be run by one, and its repositories are others.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")
_CHECKOUT_UMASK = 0o022


def list_remote(origin: GitOrigin) -> Command:
    """List what a reference names: lines of a commit or tag id, a tab, and a full name."""
    patterns = (origin.ref, f"{origin.ref}^{{}}") if origin.ref else ("HEAD",)
    return _command(("ls-remote", "--quiet", "--", origin.remote, *patterns), origin, timeout=_ASKING)


def init(folder: str) -> Command:
    """Make an empty repository, without the hooks of a template."""
    return _local(("init", "--quiet", "--template=", folder))


def fetch(folder: str, origin: GitOrigin, *refs: str, whole: bool = False) -> Command:
    """Fetch references or commits alone, or with `whole` the history that leads to them."""
    depth = () if whole else ("--depth=1",)
    argv = ("-C", folder, "fetch", "--quiet", "--no-tags", *depth, "--", origin.remote, *refs)
    return _command(argv, origin, timeout=_FETCHING)


def resolve(folder: str, name: str) -> Command:
    """Print the commit that a name means."""
    return _local(("-C", folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"))


def checkout(folder: str, commit: str) -> Command:
    """Lay a commit's files out."""
    return _local(("-C", folder, "checkout", "--quiet", "--detach", commit))


def add_remote(folder: str, origin: GitOrigin) -> Command:
    """Name the place that a repository is from, which submodules with relative URLs start at."""
    return _local(("-C", folder, "remote", "add", "origin", origin.remote))


def update_submodules(folder: str, origin: GitOrigin, *, whole: bool = False) -> Command:
    """Lay the files of all submodules out."""
    depth = () if whole else ("--depth=1",)
    argv = ("-C", folder, "submodule", "--quiet", "update", "--init", "--recursive", *depth)
    return _command(argv, origin, timeout=_FETCHING)


def expire_reflog(folder: str) -> Command:
    """Forget when what was fetched."""
    return _local(("-C", folder, "reflog", "expire", "--all", "--expire=now"))


def _local(arguments: tuple[str, ...]) -> Command:
    """Return a command that works on files alone: settings of the user or the machine are not read."""
    env = (("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), *_environment(dict(_SETTINGS)))
    return Command(("git", *arguments), env, timeout=_LOCAL, umask=_CHECKOUT_UMASK, drop=_FOREIGN)


def _command(arguments: tuple[str, ...], origin: GitOrigin, timeout: float) -> Command:
    """Return a command that goes to the network: a user's proxies, keys and credential helpers are used."""
    settings = dict(_SETTINGS)
    token = ""
    if origin.credentials:
        token = b64encode(origin.credentials.encode()).decode()
        scheme, _, rest = origin.remote.partition("://")
        settings[f"http.{scheme}://{rest.partition('/')[0]}/.extraHeader"] = f"Authorization: Basic {token}"
    secrets = (token, origin.credentials, origin.credentials.partition(":")[2])
    env = _environment(settings)
    return Command(("git", *arguments), env, timeout=timeout, redact=secrets, umask=_CHECKOUT_UMASK, drop=_FOREIGN)


def _environment(settings: dict[str, str]) -> Pairs:
    """Return the environment that turns prompts off and carries settings, after those that zbuild was given so."""
    given = os.environ.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    pairs = [("GIT_TERMINAL_PROMPT", "0"), ("GIT_ASKPASS", ""), ("SSH_ASKPASS_REQUIRE", "never"), ("LC_ALL", "C")]
    pairs.append(("GIT_CONFIG_COUNT", str(first + len(settings))))
    for index, (name, value) in enumerate(settings.items(), first):
        pairs += [(f"GIT_CONFIG_KEY_{index}", name), (f"GIT_CONFIG_VALUE_{index}", value)]
    return tuple(pairs)
