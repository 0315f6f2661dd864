"""What a build tells of its build files before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.text import plural
from zbuild.events.types import Notice

if TYPE_CHECKING:
    from zbuild.api.graphs import LoadedGraph
    from zbuild.events.bus import Emit


def tell_loaded(loaded: LoadedGraph, emit: Emit) -> None:
    """Tell how build files were found, their warnings, and how many lint has."""
    for notice in loaded.notices:
        emit(Notice(notice))
    for warning in loaded.warnings:
        place = f"{warning.span}: " if warning.span else ""
        emit(Notice(f"{place}{warning.message}", "warning"))
    if loaded.lint:
        emit(Notice(f"{plural(len(loaded.lint), 'lint warning')}, see 'zbuild lint'", "warning"))
