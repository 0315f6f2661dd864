"""The configuration an image ends with (OCI image-spec, config.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from zbuild.model.ops import Pairs


@dataclass(frozen=True, slots=True)
class HealthConfig:
    """A health check as images carry it: `test` is NONE, CMD … or CMD-SHELL …; durations in nanoseconds."""

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a container of the image starts with. None for `cmd`/`entrypoint` means: not set.

    `env` keeps its order; `labels`, `ports` and `volumes` are sorted by whoever makes the value.
    """

    env: Pairs = ()
    labels: Pairs = ()
    workdir: str = ""
    user: str = ""
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    shell: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    health: HealthConfig | None = None
    author: str = ""
    onbuild: tuple[str, ...] = ()
