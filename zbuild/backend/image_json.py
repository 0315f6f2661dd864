"""Reads the config JSON of an image (OCI image-spec config.md; docker's adds Healthcheck, Shell, OnBuild)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zbuild.base.platform import Platform
from zbuild.model.image_config import HealthConfig, ImageConfig

if TYPE_CHECKING:
    from zbuild.model.ops import Pairs


def parse_config(document: dict[str, Any]) -> ImageConfig:
    """Return what a stored config says, with labels, ports and volumes sorted; empty lists are as good as none."""
    config = document.get("config") or {}
    return ImageConfig(
        env=_env(config.get("Env") or []),
        labels=tuple(sorted((config.get("Labels") or {}).items())),
        workdir=config.get("WorkingDir") or "",
        user=config.get("User") or "",
        cmd=tuple(config.get("Cmd") or ()) or None,
        entrypoint=tuple(config.get("Entrypoint") or ()) or None,
        shell=tuple(config.get("Shell") or ()),
        ports=tuple(sorted(config.get("ExposedPorts") or ())),
        volumes=tuple(sorted(config.get("Volumes") or ())),
        stop_signal=config.get("StopSignal") or "",
        health=_health(config.get("Healthcheck") or {}),
        author=document.get("author") or "",
        onbuild=tuple(config.get("OnBuild") or ()),
    )


def parse_platform_of(document: dict[str, Any]) -> Platform:
    """Return the platform that a stored config, or an entry of a list, says."""
    return Platform(document.get("os") or "", document.get("architecture") or "", document.get("variant") or "")


def diff_ids(document: dict[str, Any]) -> tuple[str, ...]:
    """Return the digests of the layers, the lowest first."""
    return tuple((document.get("rootfs") or {}).get("diff_ids") or ())


def _env(entries: list[str]) -> Pairs:
    pairs = (entry.partition("=") for entry in entries)
    return tuple((name, value) for name, _, value in pairs)


def _health(check: dict[str, Any]) -> HealthConfig | None:
    if not check.get("Test"):
        return None
    return HealthConfig(
        tuple(check["Test"]),
        interval=check.get("Interval") or 0,
        timeout=check.get("Timeout") or 0,
        start_period=check.get("StartPeriod") or 0,
        start_interval=check.get("StartInterval") or 0,
        retries=check.get("Retries") or 0,
    )
