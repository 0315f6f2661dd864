"""What the parts of a ZImagefile must know of the whole: its stages, and where a copy from one of them starts."""

from __future__ import annotations

import posixpath
import re
from dataclasses import field
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.syntax.nodes import Scalar

_ABSOLUTE = re.compile(r"/|[A-Za-z]:/")


@dataclass(slots=True)
class Scope:
    """The file being lowered.

    `folder` is where its relative paths start, in the workspace; `names` are all its stages, in lower case, with their
    indexes; `workdirs` the final working directories of those lowered so far, None where a variable decides it.
    """

    folder: str
    diagnostics: Diagnostics
    names: dict[str, int] = field(default_factory=dict)
    workdirs: list[str | None] = field(default_factory=list)

    def stage_index(self, text: str) -> int | None:
        """Return the index of the stage that a name or number means, earlier or later."""
        if text.isascii() and text.isdecimal() and len(text) < 6:  # noqa: PLR2004 - no file has 100,000 stages
            return int(text) if int(text) < len(self.names) else None
        return self.names.get(text.lower())

    def earlier_stage(self, text: str) -> int | None:
        """Return the index of the stage a name or number means, if it comes before the one being lowered."""
        index = self.stage_index(text)
        return index if index is not None and index < len(self.workdirs) else None

    def known_stage(self, origin: Scalar) -> int | None:
        """Return the index of the earlier stage that a `from` names; None for an image. A later one is an error."""
        index = self.stage_index(origin.text)
        if index is not None and index >= len(self.workdirs):
            message = f"stage '{origin.text}' does not come before this one"
            self.diagnostics.error("stage-order", message, origin.span, "copy from an earlier stage")
            return None
        if index is None and origin.text.isdecimal():
            self.diagnostics.error("unknown-stage", f"there is no stage number {origin.text}", origin.span)
        return index

    def source_of_stage(self, source: Scalar, index: int) -> str:
        """Return a copy's source as an absolute path in a stage; a relative one starts at its final WORKDIR."""
        path = source.text.replace("\\", "/")
        if _ABSOLUTE.match(path):
            return source.text
        workdir = self.workdirs[index]
        if workdir is None or (path.startswith("$") and workdir != "/"):
            message = f"where '{source.text}' is in the stage it comes from depends on a variable"
            self.diagnostics.error("relative-source", message, source.span, "write an absolute path")
            return source.text
        joined = posixpath.normpath(posixpath.join(workdir, path))
        return joined + "/" if path.endswith("/") and joined != "/" else joined

    def finish_stage(self, base_text: str, workdirs: Iterable[str]) -> None:
        """Remember a stage's final working directory: what its base has, changed by its own in order."""
        base = self.earlier_stage(base_text)
        current = "/" if base is None else self.workdirs[base]
        for path in workdirs:
            current = _changed(current, path.replace("\\", "/"))
        self.workdirs.append(current)


def _changed(current: str | None, path: str) -> str | None:
    if "$" in path:
        return None
    if _ABSOLUTE.match(path):
        return posixpath.normpath(path)
    return None if current is None else posixpath.normpath(posixpath.join(current, path))
