"""Leaves the stamp by which the same command can tell at once that nothing changed (see `quick`)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from zbuild.base.errors import StateError
from zbuild.cli.metadata import metadata_text
from zbuild.cli.quick import stamp_path
from zbuild.state.stamp import write_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zbuild.api.options import BuildReport
    from zbuild.api.proof import Proof


def leave_stamp(
    argv: Sequence[str], report: BuildReport, proof: Proof, metadata_file: Path | None, *, told: bool
) -> None:
    """Write the stamp of a command line that has ended well; `told`: the next run says that it had nothing to do."""
    files = [] if metadata_file is None else [(str(metadata_file), metadata_text(report.as_cached()).encode())]
    stamp: dict[str, object] = {
        "rows": list(proof.rows),
        "indexes": list(proof.indexes),
        "environment": list(proof.environment),
        "until": proof.until,
        "images": len(report.targets),
        "told": told,
        "files": files,
    }
    with suppress(StateError):  # it only saves time; what cannot be kept is found out again
        write_stamp(stamp_path(str(proof.root), list(argv)), stamp)
