"""Learns what spec `buildah run` would give to a runtime here, by being that runtime: see `oci_spec.py`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands, host_files
from zbuild.backend.buildah.commands import Isolation
from zbuild.backend.buildah.oci_spec import unknown_part
from zbuild.model.steps import RunStep

if TYPE_CHECKING:
    from zbuild.backend.buildah.oci_spec import Spec
    from zbuild.backend.process import Runner

# Called as `recorder … create --bundle FOLDER … ID`, as runc and crun are; it keeps what it is given and refuses.
_RECORDER = """\
#!/bin/sh
while [ $# -gt 1 ]; do
    if [ "$1" = --bundle ]; then cp "$2/config.json" "$2/hosts" "$2/resolv.conf" "${0%/*}/"; fi
    shift
done
exit 1
"""


class RecordingError(Exception):
    """buildah's spec could not be had, or holds what zbuild does not know."""


def record_spec(runner: Runner, container: str, network: str) -> Spec:
    """Return the spec that buildah writes for a RUN in a container. Raises RecordingError, saying why it is no use."""
    with tempfile.TemporaryDirectory(prefix="zbuild-") as name:
        folder = Path(name)
        recorder = folder / "recorder"
        recorder.write_text(_RECORDER, encoding="ascii")
        recorder.chmod(0o700)
        done = runner.run(commands.run(container, RunStep(("/",)), Isolation("oci", str(recorder)), network, ()))
        try:
            spec: Spec = json.loads((folder / "config.json").read_bytes())
        except (OSError, ValueError):
            raise RecordingError(f"buildah wrote no spec: {' '.join(done.stderr)}") from None
        if unknown := unknown_part(spec):
            raise RecordingError(f"buildah's spec has {unknown}")
        _check_files(spec, folder)
        return spec


def _check_files(spec: Spec, folder: Path) -> None:
    """See that zbuild's files of the host are buildah's: containers.conf can ask for others in many ways."""
    mounted = {mount["destination"] for mount in spec["mounts"]}
    own = {"/etc/hosts": host_files.host_hosts(), "/etc/resolv.conf": host_files.host_resolv_conf()}
    for target in sorted(mounted & own.keys()):
        if own[target] != host_files.read_host(folder / target.rpartition("/")[2]):
            raise RecordingError(f"buildah makes another {target}")
