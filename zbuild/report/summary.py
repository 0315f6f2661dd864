"""The end of a build as text: what ran, why and how long; what failed, with its last lines and its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.text import duration_text, plural
from zbuild.events.types import BuildFailed
from zbuild.report.clean import one_line, printable
from zbuild.report.table import aligned
from zbuild.report.uptodate import up_to_date_text

if TYPE_CHECKING:
    from zbuild.events.types import StageFailed
    from zbuild.report.palette import Palette, Tone
    from zbuild.report.tally import EndedStage, Result, Tally

_MOST_ROWS = 40
_TONES: dict[Result, Tone] = {
    "built": "good",
    "pulled": "good",
    "cached": "faint",
    "failed": "error",
    "skipped": "warning",
}


def summary_lines(tally: Tally, palette: Palette, encoding: str = "utf-8") -> list[str]:
    """Return the summary of a build that has ended; of one that had nothing to do, exactly one line.

    Of more than 40 stages only the slowest are listed, and those that failed.
    """
    if tally.outcome is None:
        return []
    if not tally.ended and not isinstance(tally.outcome, BuildFailed):
        return [up_to_date_text(len(tally.plan.targets), tally.outcome.seconds)]
    lines = ["", *_table(tally.ended, palette, encoding)]
    for failure in tally.failures:
        lines += ["", *failure_lines(failure, palette, encoding)]
    return [*lines, "", _last_line(tally, palette)]


def failure_lines(failure: StageFailed, palette: Palette, encoding: str = "utf-8") -> list[str]:
    """Return a failed stage's error, the last lines it wrote, and where its whole log is."""
    head = palette.paint("error", f"error[{failure.code}]")
    message = printable(one_line(failure.message), encoding)
    tail = [f"    {printable(line, encoding)}".rstrip() for line in failure.tail]
    place = f"{failure.place}: " if failure.place else ""
    log = [f"  the whole log: {failure.log}"] if failure.log else []
    hint = [f"  hint: {printable(one_line(failure.hint), encoding)}"] if failure.hint else []
    return [f"{place}{head}: {failure.stage}: {message}", *tail, *log, *hint]


def _table(ended: list[EndedStage], palette: Palette, encoding: str) -> list[str]:
    shown = _worth_showing(ended)
    rows = [("STAGE", "RESULT", "TIME", "WHY"), *(_row(stage, encoding) for stage in shown)]
    head, *body = aligned(rows, right={2})
    lines = [palette.paint(_TONES[stage.result], line) for stage, line in zip(shown, body, strict=True)]
    left_out = len(ended) - len(shown)
    return [palette.paint("strong", head), *lines, *([f"and {left_out} more, which were faster"] if left_out else [])]


def _worth_showing(ended: list[EndedStage]) -> list[EndedStage]:
    if len(ended) <= _MOST_ROWS:
        return ended
    ranked = sorted(ended, key=lambda stage: (stage.result != "failed", -(stage.seconds or 0.0)))
    kept = {stage.stage for stage in ranked[:_MOST_ROWS]}
    return [stage for stage in ended if stage.stage in kept]


def _row(stage: EndedStage, encoding: str) -> tuple[str, str, str, str]:
    seconds = "" if stage.seconds is None else duration_text(stage.seconds)
    return stage.stage, stage.result, seconds, printable(one_line(stage.why), encoding)


def _last_line(tally: Tally, palette: Palette) -> str:
    counts = [f"{tally.count('built')} built", f"{tally.count('pulled')} pulled", f"{tally.cached} cached"]
    told = ", ".join(count for count in counts if not count.startswith("0 "))
    if isinstance(tally.outcome, BuildFailed):
        skipped = f"{len(tally.outcome.skipped)} skipped" if tally.outcome.skipped else ""
        what = ", ".join(part for part in (f"{len(tally.outcome.failed)} failed", skipped, told) if part)
        return palette.paint("error", f"zbuild: build failed after {duration_text(tally.outcome.seconds)}: {what}")
    seconds = tally.outcome.seconds if tally.outcome else 0.0
    return palette.paint("good", f"zbuild: {plural(tally.total, 'stage')} done in {duration_text(seconds)}: {told}")
