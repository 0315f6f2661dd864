"""Where results are shared between machines, as build files and options say it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from zbuild.base.dataclass import dataclass

PlaceKind: TypeAlias = Literal["folder", "s3", "registry"]


@dataclass(frozen=True, slots=True)
class CachePlace:
    """A remote cache. `path` is a folder's path, a bucket's name, or a repository of a registry.

    `prefix`, `region` and `endpoint` ("" = as the environment says) are of S3 alone.
    """

    kind: PlaceKind
    path: str
    prefix: str = ""
    region: str = ""
    endpoint: str = ""

    def __str__(self) -> str:
        if self.kind == "s3":
            return f"s3://{self.path}/{self.prefix}".rstrip("/")
        return self.path


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Places to read from and to write to, in order.

    `ttl` is how many seconds an entry is good for, 0 = for ever; `max_size` how many bytes a folder may take, 0 = all.
    """

    sources: tuple[CachePlace, ...] = ()
    targets: tuple[CachePlace, ...] = ()
    ttl: float = 0.0
    max_size: int = 0
