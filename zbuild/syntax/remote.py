"""ADD's sources: which are URLs and which are git references, by BuildKit's rules.

A git reference is `git@host:path`, a git:// or ssh:// URL, or an http(s) URL whose path ends with `.git`; behind it may
stand `#ref:folder`, or the same as a query (`?branch=`, `?tag=`, `?ref=`, `?commit=`, `?subdir=` …).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.model.remote import GitOrigin, UrlOrigin

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from zbuild.model.remote import RemoteOrigin

UNNAMED = "__unnamed__"
"""What a file is called whose URL ends with no name."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SCP = re.compile(r"(?P<remote>[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?")
_SCHEMES = ("http", "https", "git", "ssh")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{1,64}")
_TRUE = ("", "1", "t", "true")
_FALSE = ("0", "f", "false")
_QUERIES = ("ref", "tag", "branch", "commit", "checksum", "subdir", "keep-git-dir", "submodules")


def parse_remote(source: str) -> RemoteOrigin | None:
    """Return what a source, its variables expanded, names on another machine; None for a path.

    Raises ValueError for a URL that is not well-formed, or of a kind that is not read.
    """
    if scp := _SCP.fullmatch(source):
        return _git(scp["remote"], scp["query"] or "", scp["fragment"] or "")
    scheme = _SCHEME.match(source)
    if scheme is None:
        return None
    if scheme[1].lower() not in _SCHEMES:
        raise ValueError(f"ADD reads http, https, git and ssh URLs, not '{scheme[0]}'")
    return _from_url(source)


def is_remote(source: str) -> bool:
    """Tell whether a source, its variables not necessarily expanded, is a URL or a git reference."""
    return _SCHEME.match(source) is not None or _SCP.fullmatch(source) is not None


def is_commit(ref: str) -> bool:
    """Tell whether a reference is a whole commit id, which names the same files for ever."""
    return _COMMIT.fullmatch(ref) is not None


def with_checksum(origin: RemoteOrigin, checksum: str) -> RemoteOrigin:
    """Return an origin that must have the checksum ("" = any).

    Raises ValueError for what is none: `sha256:` and 64 hex digits for URLs, a commit or its first digits for git.
    """
    if not checksum:
        return origin
    if isinstance(origin, UrlOrigin):
        if not _DIGEST.fullmatch(checksum):
            raise ValueError(f"the checksum of a URL is 'sha256:' and 64 hex digits, not '{checksum[:80]}'")
        return replace(origin, checksum=checksum)
    if not _HEX.fullmatch(checksum):
        raise ValueError(f"the checksum of a git reference is a commit in hex digits, not '{checksum[:80]}'")
    if origin.checksum not in ("", checksum):
        raise ValueError(f"two checksums are given: '{origin.checksum}' and '{checksum}'")
    return replace(origin, checksum=checksum)


def _from_url(source: str) -> RemoteOrigin:
    from urllib.parse import unquote, urlsplit, urlunsplit  # noqa: PLC0415 - few build files have URLs

    parts = urlsplit(source)
    path = unquote(parts.path)
    if not parts.hostname or not _has_good_port(parts):
        raise ValueError(f"'{parts.scheme}://{_place(parts)}' is no host, or none with a port number")
    if any(char.isspace() or not char.isprintable() for char in source):
        raise ValueError(f"a URL holds no spaces: write %20 (behind '{parts.scheme}://{_place(parts)}')")
    if parts.scheme in ("git", "ssh") or path.endswith(".git"):
        netloc = _place(parts, keep_user=parts.scheme == "ssh")
        remote = urlunsplit((parts.scheme, netloc, parts.path, "", ""))
        return _git(remote, parts.query, unquote(parts.fragment), _credentials(parts))
    url = urlunsplit((parts.scheme, _place(parts), parts.path, parts.query, ""))
    return UrlOrigin(url, _file_name(path), credentials=_credentials(parts))


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _place(parts: SplitResult, *, keep_user: bool = False) -> str:
    """Return host and port; with `keep_user` also the user, who is no secret to ssh."""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.username}@{host}" if keep_user and parts.username else host


def _credentials(parts: SplitResult) -> str:
    from urllib.parse import unquote  # noqa: PLC0415 - as above

    if parts.scheme == "ssh" or (parts.username is None and parts.password is None):
        return ""
    return f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"


def _file_name(path: str) -> str:
    name = posixpath.basename(path.rstrip("/"))
    return UNNAMED if name in ("", ".", "..") or not name.isprintable() else name


def _git(remote: str, query: str, fragment: str, credentials: str = "") -> GitOrigin:
    ref, _, subdir = fragment.partition(":")
    asked = _read_query(query)
    names = {"ref": asked.get("ref", "")}
    names |= {kind: _full(asked[kind], prefix) for kind, prefix in _PREFIXES.items() if kind in asked}
    commit = _agreed("commit", asked.get("commit", ""), asked.get("checksum", ""))
    ref = _agreed("ref", ref, *names.values()) or commit
    if ref.startswith("-"):
        raise ValueError(f"'{ref}' is no name of a branch or tag")
    return GitOrigin(
        remote,
        ref,
        posixpath.normpath("/" + _agreed("subdir", subdir, asked.get("subdir", ""))).lstrip("/"),
        commit,
        keep_git_dir="keep-git-dir" in asked and _switch("keep-git-dir", asked["keep-git-dir"]),
        submodules=_switch("submodules", asked.get("submodules", "")),
        credentials=credentials,
    )


_PREFIXES = {"tag": "refs/tags/", "branch": "refs/heads/"}


def _full(name: str, prefix: str) -> str:
    return name if name.startswith(prefix) else prefix + name


def _read_query(query: str) -> dict[str, str]:
    from urllib.parse import parse_qsl  # noqa: PLC0415 - as above

    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _QUERIES:
            raise ValueError(f"a git reference has no '?{name}='; there are {', '.join(_QUERIES)}")
        if name in found:
            raise ValueError(f"'{name}' is given twice in a git reference")
        if not value and name not in ("keep-git-dir", "submodules"):
            raise ValueError(f"'?{name}=' of a git reference is empty")
        found[name] = value
    return found


def _agreed(what: str, *values: str) -> str:
    """Return the one value that is given, once or more; "" when none is."""
    given = sorted(set(values) - {""})
    if len(given) > 1:
        raise ValueError(f"a git reference with two of '{what}': '{given[0]}' and '{given[1]}'")
    return given[0] if given else ""


def _switch(name: str, value: str) -> bool:
    if value.lower() not in (*_TRUE, *_FALSE):
        raise ValueError(f"'{name}' of a git reference is true or false, not '{value}'")
    return value.lower() in _TRUE
