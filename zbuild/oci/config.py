"""The configuration document of an image (OCI image spec, config.md; Healthcheck, Shell and OnBuild are docker's)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zbuild.oci.documents import encode_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.base.platform import Platform
    from zbuild.model.image_config import HealthConfig, ImageConfig


def encode_config(
    config: ImageConfig,
    platform: Platform,
    diff_ids: Sequence[str],
    *,
    created: str,
    history: Sequence[tuple[str, bool]] = (),
) -> bytes:
    """Return the document; equal arguments give equal bytes. `created` is a time as RFC 3339 has it.

    `history` are the instructions, each with whether it made a layer; `diff_ids` are those of the layers, lowest first.
    """
    steps = [
        {"created": created, "created_by": text} | ({} if layer else {"empty_layer": True}) for text, layer in history
    ]
    document = {
        "created": created,
        "author": config.author,
        "architecture": platform.architecture,
        "variant": platform.variant,
        "os": platform.os,
        "config": _set(_container(config)),
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": steps,
    }
    return encode_json(_set(document, but=("config",)))


def _container(config: ImageConfig) -> dict[str, Any]:
    return {
        "User": config.user,
        "ExposedPorts": {port: {} for port in config.ports},
        "Env": [f"{name}={value}" for name, value in config.env],
        "Entrypoint": list(config.entrypoint or ()),
        "Cmd": list(config.cmd or ()),
        "Volumes": {path: {} for path in config.volumes},
        "WorkingDir": config.workdir,
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
        "Healthcheck": _health(config.health) if config.health else {},
        "Shell": list(config.shell),
        "OnBuild": list(config.onbuild),
    }


def _health(check: HealthConfig) -> dict[str, Any]:
    return {"Test": list(check.test)} | _set(
        {
            "Interval": check.interval,
            "Timeout": check.timeout,
            "StartPeriod": check.start_period,
            "StartInterval": check.start_interval,
            "Retries": check.retries,
        }
    )


def _set(fields: dict[str, Any], but: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields that say something, and those that must be there."""
    return {name: value for name, value in fields.items() if value or name in but}
