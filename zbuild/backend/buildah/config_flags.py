"""Which flags of `buildah config` turn a base's configuration into the one that is wanted.

Each flag reads its value in a way of its own (buildah 1.28):
- env: `$` expands, `$$` is a dollar; a name that is set again moves to the end; `NAME-` removes, as for labels, ports
  and volumes
- cmd and entrypoint: a JSON list; "" removes
- shell and healthcheck: words with shell quotes; "" removes
- onbuild: CSV, and it can only be added to (no container has any at first, see `plain_images.py`)
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbuild.model.image_config import HealthConfig, ImageConfig
    from zbuild.model.ops import Pairs


def config_flags(base: ImageConfig, wanted: ImageConfig, image_format: str, annotations: Pairs = ()) -> tuple[str, ...]:
    """Return the flags for all differences, () when there are none."""
    flags = [
        *_env(base.env, wanted.env),
        *_labels(base.labels, wanted.labels),
        *_set("--port", base.ports, wanted.ports),
        *_set("--volume", base.volumes, wanted.volumes),
        *_text("--workingdir", base.workdir, wanted.workdir),
        *_text("--user", base.user, wanted.user),
        *_text("--stop-signal", base.stop_signal, wanted.stop_signal),
        *_text("--author", base.author, wanted.author),
        *_commands(base, wanted),
    ]
    if image_format == "docker":
        flags += _docker_only(base, wanted)
    for name, value in annotations:
        flags += ["--annotation", f"{name}={value}"]
    return tuple(flags)


def lost_settings(wanted: ImageConfig, image_format: str) -> tuple[str, ...]:
    """Return the names of wanted settings that the image cannot hold."""
    if image_format == "docker":
        lost = {"HEALTHCHECK --start-interval": bool(wanted.health and wanted.health.start_interval)}
    else:
        lost = {"HEALTHCHECK": bool(wanted.health), "SHELL": bool(wanted.shell), "ONBUILD": bool(wanted.onbuild)}
    return tuple(name for name, is_lost in lost.items() if is_lost)


def _env(base: Pairs, wanted: Pairs) -> list[str]:
    names = {name for name, _ in wanted}
    flags = [f"{name}-" for name, _ in base if name not in names]
    left = [pair for pair in base if pair[0] in names]
    same = next((i for i, (old, new) in enumerate(zip(left, wanted, strict=False)) if old != new), len(left))
    flags += [f"{name}={value.replace('$', '$$')}" for name, value in wanted[same:]]
    return _each("--env", flags)


def _labels(base: Pairs, wanted: Pairs) -> list[str]:
    before, after = dict(base), dict(wanted)
    flags = [f"{name}-" for name in before if name not in after]
    flags += [f"{name}={value}" for name, value in wanted if before.get(name) != value]
    return _each("--label", flags)


def _set(flag: str, base: tuple[str, ...], wanted: tuple[str, ...]) -> list[str]:
    removed = [f"{item}-" for item in base if item not in wanted]
    return _each(flag, [*removed, *(item for item in wanted if item not in base)])


def _text(flag: str, base: str, wanted: str) -> list[str]:
    return [] if base == wanted else [flag, wanted]


def _commands(base: ImageConfig, wanted: ImageConfig) -> list[str]:
    """Set both when one differs: to set the entrypoint may clear the command."""
    old, new = [(config.entrypoint or (), config.cmd or ()) for config in (base, wanted)]
    if old == new:
        return []
    entrypoint, cmd = [json.dumps(argv, ensure_ascii=False) if argv else "" for argv in new]
    return ["--entrypoint", entrypoint, "--cmd", cmd]


def _docker_only(base: ImageConfig, wanted: ImageConfig) -> list[str]:
    flags = []
    if base.shell != wanted.shell:
        flags += ["--shell", shlex.join(wanted.shell)]
    if base.health != wanted.health:
        flags += _health(wanted.health)
    return flags + _each("--onbuild", [_csv(word) for word in wanted.onbuild])


def _health(check: HealthConfig | None) -> list[str]:
    """Set all figures, zero as well: buildah has defaults of its own where docker stores nothing."""
    if check is None:
        return ["--healthcheck", ""]
    return [
        *("--healthcheck", shlex.join(check.test)),
        *("--healthcheck-interval", f"{check.interval}ns"),
        *("--healthcheck-timeout", f"{check.timeout}ns"),
        *("--healthcheck-start-period", f"{check.start_period}ns"),
        *("--healthcheck-retries", str(check.retries)),
    ]


def _each(flag: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (flag, value)]


def _csv(value: str) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([value])  # a text with line ends needs its quotes as well
    return buffer.getvalue().removesuffix("\n")
