"""Golden files: what a reading gives, as text, next to its input. ZBUILD_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from support.dump import dump
from zbuild.base.errors import BuildFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from zbuild.base.diagnostic import Diagnostic


def told(read: Callable[[], object]) -> str:
    """Return the dump of what `read` returns, or the lines of the problems it raises."""
    try:
        return dump(read()) + "\n"
    except BuildFileError as error:
        return problem_lines(error.diagnostics)


def problem_lines(diagnostics: Iterable[Diagnostic]) -> str:
    lines = []
    for item in diagnostics:
        lines.append(f"{item.span}: {item.severity}[{item.code}]: {item.message}")
        lines += [f"  hint: {item.hint}"] if item.hint else []
    return "".join(f"{line}\n" for line in lines)


def check_golden(path: Path, text: str) -> None:
    """Hold a text to what a golden file has."""
    if os.environ.get("ZBUILD_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
