"""What is told before a command does its work: of whom it waits for, and of its build files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.text import plural
from zbuild.events.types import Notice

if TYPE_CHECKING:
    from zbuild.api.graphs import LoadedGraph
    from zbuild.events.bus import Emit


def unheard(_message: str) -> None:
    """Drop a notice that nobody listens for."""


def waiting_for(holder: str) -> str:
    """Return what is told while another run is at work in the same workspace."""
    return f"waiting for {holder}, which builds in this workspace"


def tell_loaded(loaded: LoadedGraph, emit: Emit) -> None:
    """Tell how build files were found, their warnings, and how many lint has."""
    for notice in loaded.notices:
        emit(Notice(notice))
    for warning in loaded.warnings:
        place = f"{warning.span}: " if warning.span else ""
        emit(Notice(f"{place}{warning.message}", "warning"))
    if loaded.lint:
        emit(Notice(f"{plural(len(loaded.lint), 'lint warning')}, see 'zbuild lint'", "warning"))
