"""Finds out what works on this machine: where the storage is, and what really runs a program (see `trial.py`)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.commands import Isolation
from zbuild.backend.buildah.facts import ISOLATION_VARIABLE, Facts
from zbuild.backend.buildah.overlay import overlay_of
from zbuild.backend.buildah.recorder import RecordingError, record_spec
from zbuild.backend.buildah.runtime_run import Runtime
from zbuild.backend.buildah.store import Store
from zbuild.backend.buildah.trial import find_way, runtimes, trial_container, try_direct, try_overlay, try_spec
from zbuild.base.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.backend.buildah.oci_spec import Spec
    from zbuild.backend.buildah.trial import TrialContainer, Way
    from zbuild.backend.process import Runner


def probe(runner: Runner, new_name: Callable[[], str]) -> Facts:
    """Find out what works; `new_name` names a working container. Raises BackendError when buildah does not."""
    version = runner.run(commands.version())
    info = runner.run(commands.info())
    if info.returncode:
        raise BackendError("buildah-failed", f"buildah does not work here: {' '.join(info.stderr)}")
    found: dict[str, Any] = json.loads(info.stdout)
    store = found["store"]
    with trial_container(runner, new_name()) as container:
        way = _way(runner, container, found["host"].get("OCIRuntime") or "", Path(store["RunRoot"]))
        overlay = _overlay(runner, container, store) if container else None
    words = version.stdout.split()
    return Facts(
        words[2] if len(words) > 2 else "",  # noqa: PLR2004 - "buildah version 1.28.2 (…)"
        store["GraphRoot"],
        store["RunRoot"],
        store["GraphDriverName"],
        way.isolation.kind,
        way.isolation.runtime,
        way.failed,
        way.template,
        way.not_direct,
        overlay,
    )


def probe_network(runner: Runner, new_name: Callable[[], str], facts: Facts, network: str) -> Spec:
    """Return buildah's spec of a RUN on a network; {} when the runtime cannot run by it. Raises BackendError."""
    with trial_container(runner, new_name()) as container:
        if container is None:
            return {}
        try:
            spec = record_spec(runner, container.name, network)
            problem = try_spec(runner, container, spec, Runtime(facts.runtime, Path(facts.runroot)))
        except (RecordingError, OSError):
            return {}
        return {} if problem else spec


def _way(runner: Runner, container: TrialContainer | None, named: str, runroot: Path) -> Way:
    """Return the way that works, or the isolation that ZBUILD_ISOLATION asks for, directly if that works."""
    kind, _, runtime = os.environ.get(ISOLATION_VARIABLE, "").partition(":")
    if not kind or container is None:
        return find_way(runner, container, runtimes(named), runroot)
    direct = try_direct(runner, container, [runtime] if runtime else [], runroot)
    return direct._replace(isolation=Isolation(kind, runtime), failed=())


def _overlay(runner: Runner, container: TrialContainer, store: dict[str, Any]) -> tuple[str, ...] | None:
    graphroot, driver = Path(store["GraphRoot"]), store["GraphDriverName"]
    stored = (found for found in Store(graphroot, driver).containers() if container.name in found.names)
    layer = next((found.layer for found in stored), "")
    if driver != "overlay" or not layer:
        return None
    try:
        return try_overlay(runner, container, overlay_of(graphroot, Path(store["RunRoot"])), layer)
    except OSError:
        return None
