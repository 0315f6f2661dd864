"""Where ADD finds what is neither in the context nor in an image: files at URLs, and git repositories."""

from __future__ import annotations

from dataclasses import field
from typing import TypeAlias

from zbuild.base.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class UrlOrigin:
    """A file at an http or https URL; `name` is what it is called where it lands in a folder.

    `checksum` is the `sha256:…` it must have, "" for any. `url` holds no `credentials` (`user:password`), which take
    part in no comparison, are in no key, and are never printed.
    """

    url: str
    name: str
    checksum: str = ""
    credentials: str = field(default="", compare=False, repr=False)

    @property
    def shown(self) -> str:
        """The URL, as people and logs may see it."""
        return self.url


@dataclass(frozen=True, slots=True)
class GitOrigin:
    """The files of a commit, or of the folder `subdir` in it.

    `ref` is a branch, a tag or a commit, "" for the repository's default branch; `checksum` a commit, or its first
    digits, that `ref` must be. `remote` holds no `credentials`, for which see `UrlOrigin`.
    """

    remote: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool = False
    submodules: bool = True
    credentials: str = field(default="", compare=False, repr=False)

    @property
    def shown(self) -> str:
        """The reference, as people and logs may see it."""
        fragment = f"{self.ref}:{self.subdir}" if self.subdir else self.ref
        return f"{self.remote}#{fragment}" if fragment else self.remote


RemoteOrigin: TypeAlias = UrlOrigin | GitOrigin
