"""The metadata file: what a build made, for programs."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from zbuild.base.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.api.options import BuildReport


def metadata(report: BuildReport) -> dict[str, object]:
    """Return `{"images": {NAME: {image_id, digest, tags, …}}}` with the fields of ImageReport, and `pushed`."""
    images = {image.name: asdict(image) for image in report.images}
    for values in images.values():
        del values["name"]
    pushed = {"pushed": [asdict(tag) for tag in report.pushed]} if report.pushed else {}
    return {"images": images, **pushed}


def metadata_text(report: BuildReport) -> str:
    """Return the file's text: sorted, so that equal builds give equal files."""
    return json.dumps(metadata(report), indent=2, sort_keys=True) + "\n"


def write_metadata(path: Path, report: BuildReport) -> None:
    """Write the file whole or not at all: a reader never sees a half of it.

    Raises OSError when the folder is missing or not writable.
    """
    with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8") as file:
        try:
            file.write(metadata_text(report))
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o666 & ~_umask())  # noqa: PTH101 - a temporary file is private, this one is to be read
            os.replace(file.name, path)  # noqa: PTH105 - both are text here
        except BaseException:
            os.unlink(file.name)  # noqa: PTH108 - likewise
            raise


def check_metadata_file(path: Path, written: Path) -> None:
    """Raise UsageError when the file, which users wrote as `written`, cannot be written: better before a build."""
    folder = path.parent
    if not folder.is_dir():
        message = f"--metadata-file {written}: there is no folder {written.parent}"
        raise UsageError("metadata-file", message, hint="make the folder first")
    if not os.access(folder, os.W_OK | os.X_OK):
        message = f"--metadata-file {written}: the folder {written.parent} cannot be written"
        raise UsageError("metadata-file", message, hint="name a file in another folder")


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
