"""A workspace that remembers what it was asked and gives back what the test put into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zbuild.api.options import BuildReport
from zbuild.graph.types import Graph
from zbuild.plan.types import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zbuild.api.options import BuildOptions, ImageListing
    from zbuild.base.diagnostic import Diagnostic
    from zbuild.events.bus import Emit
    from zbuild.events.types import Event
    from zbuild.model.overlay import Overlay
    from zbuild.plan.types import StageExplanation


@dataclass
class StandIn:
    """`calls` holds (method, what it was given); `error` is raised by whatever is asked, after `events` are told."""

    root: Path
    planned: Plan = field(default_factory=lambda: Plan((), ()))
    explained: tuple[StageExplanation, ...] = ()
    listed: tuple[ImageListing, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    removed: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    report: BuildReport = field(default_factory=lambda: BuildReport((), 0.0))
    error: BaseException | None = None
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def find(self, start: Path, *, file: str, variables: Mapping[str, str], overlay: Overlay) -> StandIn:
        self.calls.append(("find", (start, file, dict(variables), overlay)))
        return self

    def _asked(self, name: str, *what: Any) -> None:
        self.calls.append((name, what))
        if self.error is not None:
            raise self.error

    def validate(self, options: BuildOptions) -> tuple[Diagnostic, ...]:
        self._asked("validate", options)
        return self.warnings

    def images(self, options: BuildOptions) -> tuple[ImageListing, ...]:
        self._asked("images", options)
        return self.listed

    def graph(self, targets: Sequence[str], options: BuildOptions) -> Graph:
        self._asked("graph", targets, options)
        return Graph((), (), ())

    def plan(self, targets: Sequence[str], options: BuildOptions) -> Plan:
        self._asked("plan", targets, options)
        return self.planned

    def explain(self, image: str, options: BuildOptions) -> tuple[StageExplanation, ...]:
        self._asked("explain", image, options)
        return self.explained

    def build(self, targets: Sequence[str], options: BuildOptions, *listeners: Emit) -> BuildReport:
        for event in self.events:
            for listener in listeners:
                listener(event)
        self._asked("build", targets, options)
        return self.report

    def clean(self, options: BuildOptions, *, everything: bool = False) -> tuple[str, ...]:
        self._asked("clean", options, everything)
        return self.removed
