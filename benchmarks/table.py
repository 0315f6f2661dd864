"""Turns results into a table, against what zbuild is to reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from measure import CASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from measure import Case, Result

_AS_FRACTION = 0.1
COLUMNS = ("buildah", "buildkit", "zbuild")


@dataclass(frozen=True, slots=True)
class Target:
    """zbuild's least time over another's least time is to be at most `ratio` (`other` "": seconds)."""

    work: str
    case: Case
    other: str
    ratio: float

    def text(self) -> str:
        return f"≤ {_share(self.ratio, self.other)}"


def _share(ratio: float, other: str) -> str:
    """Write a time as a share of another's; with `other` "" it is in seconds."""
    if not other:
        return f"{ratio:.3g} s"
    return f"1/{1 / ratio:.0f} of {other}" if ratio <= _AS_FRACTION else f"{ratio:.2g} × {other}"


TARGETS = (
    Target("services", "noop", "buildah", 1 / 150),
    Target("services", "noop", "buildkit", 1 / 25),
    Target("fan", "noop", "", 0.2),
    Target("files", "noop", "git status", 2),
    Target("files", "noop", "buildah", 1 / 10),
    Target("chain", "leaf", "buildah", 1 / 10),
    Target("fan", "leaf", "buildah", 1 / 10),
    Target("services", "leaf", "buildah", 1 / 10),
    Target("chain", "cold", "buildah", 0.4),
    Target("fan", "cold", "buildah", 0.4),
    Target("services", "cold", "buildah", 0.15),
    Target("services", "cold", "buildkit", 0.7),
    Target("steps", "step", "buildah", 0.6),
    Target("steps", "cold", "zbuild --no-layers", 1.1),
    Target("single", "noop", "python -c pass", 8),
)


def times_table(results: Sequence[Result]) -> str:
    """Return a Markdown table: least / median seconds of each builder, and how many times faster zbuild is."""
    head = ("work", "case", *COLUMNS, "zbuild's stages run", "× buildah", "× buildkit", "load")
    rows = [_times_row(result) for result in results]
    return _markdown(head, rows)


def targets_table(results: Sequence[Result]) -> str:
    """Return a Markdown table of the targets that these results can answer."""
    found = {(result.work, result.case): result for result in results}
    rows = []
    for target in TARGETS:
        result = found.get((target.work, target.case))
        measured = _measured(result, target) if result else None
        if result is not None and measured is not None:
            verdict = "reached" if measured <= target.ratio else "missed"
            share = _share(measured, target.other)
            rows.append((result.title, CASES[target.case], target.text(), share, verdict))
    return _markdown(("work", "case", "target", "measured", ""), rows)


def floors_table(results: Sequence[Result]) -> str:
    """Return a Markdown table of what the same machine needs for the least there is."""
    head = ("work", "zbuild, nothing changed", "git status", "python -c pass")
    rows = [
        (result.title, *(_seconds(result, name) for name in ("zbuild", "git status", "python -c pass")))
        for result in results
        if result.case == "noop"
    ]
    return _markdown(head, rows)


def _measured(result: Result, target: Target) -> float | None:
    own = result.least("zbuild")
    other = result.least(target.other) if target.other else 1.0
    return own / other if own is not None and other else None


def _times_row(result: Result) -> tuple[str, ...]:
    ran = "" if result.stages_run is None else f"{result.stages_run} of {result.stages}"
    faster = (_faster(result, "buildah"), _faster(result, "buildkit"))
    return (
        result.title,
        CASES[result.case],
        *(_seconds(result, name) for name in COLUMNS),
        ran,
        *faster,
        f"{result.load:.1f}",
    )


def _faster(result: Result, name: str) -> str:
    own, other = result.least("zbuild"), result.least(name)
    return f"{other / own:.1f}" if own and other else ""


def _seconds(result: Result, name: str) -> str:
    least, middle = result.least(name), result.middle(name)
    if least is None or middle is None:
        return ""
    return " / ".join(f"{value:.3f}" if value < 1 else f"{value:.2f}" for value in (least, middle))


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (head, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
