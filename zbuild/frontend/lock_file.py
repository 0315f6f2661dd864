"""`zbuild.lock`, beside the workspace's build file: read with places and limits, written as stable text."""

from __future__ import annotations

import json
import os
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostics
from zbuild.base.platform import parse_platform
from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import normalise
from zbuild.frontend.paths import read_build_file
from zbuild.model.lock import Lock, LockedBase
from zbuild.syntax.nodes import Mapping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zbuild.syntax.nodes import Scalar

LOCK_FILE = "zbuild.lock"
_HEAD = """\
# The base images of this workspace, and the digests that builds take them by, whatever their tags have become since.
# 'zbuild lock' writes this file and 'zbuild lock --update' asks the registries again; keep it under version control.
version: 1
"""


def has_lock(root: Path) -> bool:
    """Tell whether a workspace has a lock file; what is there but no file, or a dead link, counts: reading it fails."""
    return os.path.lexists(root / LOCK_FILE)


def parse_lock(data: bytes) -> Lock:
    """Return what a lock file says. Raises BuildFileError with every problem of it."""
    from zbuild.syntax.schema import check_schema  # noqa: PLC0415 - most runs find the lock as it was
    from zbuild.syntax.yaml_reader import read_yaml  # noqa: PLC0415 - likewise

    diagnostics = Diagnostics()
    node = check_schema(read_yaml(data, LOCK_FILE), "lock", diagnostics)
    bases = tuple(_bases(node, diagnostics)) if isinstance(node, Mapping) else ()
    diagnostics.check_in_order()
    return Lock(bases, present=True)


def read_lock_file(root: Path) -> bytes:
    """Return what the lock file holds. Raises BuildFileError when it cannot be read."""
    return read_build_file(root, LOCK_FILE)


def _bases(node: Mapping, diagnostics: Diagnostics) -> Iterator[LockedBase]:
    for reference, platforms in node.mapping("bases").items:
        _check_reference(reference, diagnostics)
        for platform, base in platforms.items if isinstance(platforms, Mapping) else ():
            _check_platform(platform, diagnostics)
            if isinstance(base, Mapping):
                asked_by = tuple(item.text for item in base.scalars("asked_by"))
                digest, locked = base.text("digest"), base.text("locked")
                yield LockedBase(reference.text, platform.text, digest, locked, asked_by, platform.span)


def _check_reference(reference: Scalar, diagnostics: Diagnostics) -> None:
    try:
        full = str(normalise(reference.text))
    except BadReferenceError as error:
        diagnostics.error("bad-reference", str(error), reference.span)
        return
    if full != reference.text:
        diagnostics.error("bad-reference", f"'{reference.text}' is not in full", reference.span, f"write {full}")


def _check_platform(platform: Scalar, diagnostics: Diagnostics) -> None:
    try:
        full = str(parse_platform(platform.text))
    except ValueError as error:
        diagnostics.error("bad-platform", str(error), platform.span)
        return
    if full != platform.text:
        diagnostics.error("bad-platform", f"'{platform.text}' is not in full", platform.span, f"write {full}")


def lock_text(lock: Lock) -> str:
    """Return the lock file's text: the same bases, the same text."""
    ordered = sorted(lock.bases, key=attrgetter("reference", "platform"))
    lines = ["bases:" if ordered else "bases: {}"]
    for reference, bases in groupby(ordered, attrgetter("reference")):
        lines.append(f"  {reference}:")
        for base in bases:
            lines.append(f"    {base.platform}:")
            lines += _lines(base)
    return _HEAD + "\n".join(lines) + "\n"


def _lines(base: LockedBase) -> Iterator[str]:
    yield f"      digest: {base.digest}"
    if base.locked:
        yield f"      locked: {json.dumps(base.locked)}"
    if base.asked_by:
        yield "      asked_by:"
        yield from (f"        - {json.dumps(name)}" for name in sorted(base.asked_by))
