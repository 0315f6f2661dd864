"""The live region of the terminal display. Importing this imports rich."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from zbuild.base.text import duration_text
from zbuild.report.clean import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from threading import Lock

    from zbuild.report.stream import ProgressStream
    from zbuild.report.tally import RunningStage, Tally

_PER_SECOND = 8
_MOST_LINES = 3


class LiveRegion:
    """The lines at the bottom of the terminal, drawn anew several times a second until `close`."""

    def __init__(self, stream: ProgressStream, tally: Tally, lock: Lock) -> None:
        self._encoding = stream.encoding
        self._tally = tally
        self._lock = lock
        self._start = tally.clock()
        self._console = Console(file=cast("TextIO", stream), force_terminal=True, highlight=False, markup=False)
        self._live = Live(
            console=self._console,
            get_renderable=self._group,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def above(self, lines: Iterable[str]) -> None:
        """Print lines above the region; they may hold colours, and wrap where the terminal wraps them."""
        for line in lines:
            self._console.print(Text.from_ansi(line), soft_wrap=True)

    def close(self) -> None:
        """Remove the region and show the cursor again."""
        self._live.stop()

    def _group(self) -> Group:
        size = self._console.size
        with self._lock:
            elapsed = self._tally.clock() - self._start
            return Group(*region_lines(self._tally, elapsed, size.width, size.height, self._encoding))


def region_lines(tally: Tally, elapsed: float, width: int, height: int, encoding: str = "utf-8") -> list[Text]:
    """Return the region for a terminal of that size, `elapsed` seconds into the build.

    Each running stage has a line and its last lines of output, fewer when the terminal is low; then comes the count.
    """
    stages = list(tally.running.values())
    room = max(height - 2, 1)
    shown = stages if len(stages) <= room else stages[: room - 1]
    each = min(_MOST_LINES, room // len(shown) - 1) if shown else 0
    lines: list[Text] = []
    for stage in shown:
        lines += _stage_lines(stage, tally.clock() - stage.started, each, width, encoding)
    if len(shown) < len(stages):
        lines.append(_fitted(Text(f"and {len(stages) - len(shown)} more", style="dim"), width))
    return [*lines, _beside(_count(tally), elapsed, width)]


def _stage_lines(stage: RunningStage, seconds: float, output: int, width: int, encoding: str) -> Sequence[Text]:
    head = Text(stage.stage, style="bold")
    if stage.index:
        head.append(f"  {stage.index}/{stage.steps} ", style="not bold dim")
        head.append(printable(one_line(stage.text), encoding), style="not bold")
    shown = list(stage.lines)[-output:] if output > 0 else []
    tail = [_fitted(Text(f"    {printable(line, encoding)}", style="dim"), width) for line in shown]
    return [_beside(head, seconds, width), *tail]


def _count(tally: Tally) -> Text:
    text = Text(f"{tally.done}/{tally.total} stages", style="bold")
    text.append(f", {tally.cached} cached", style="not bold")
    if tally.failures:
        text.append(f", {len(tally.failures)} failed", style="bold red")
    return text


def _beside(left: Text, seconds: float, width: int) -> Text:
    time = f"{seconds:.1f} s" if seconds < 60 else duration_text(seconds)  # noqa: PLR2004 - a minute; hundredths only flicker
    room = width - len(time) - 3
    if room < len(time):  # too narrow for both: what happens matters more than how long it takes
        return _fitted(left, width)
    left.truncate(room, overflow="crop", pad=True)
    left.append(f"  {time}", style="not bold cyan")
    return _fitted(left, width)


def _fitted(text: Text, width: int) -> Text:
    # One column stays free: terminals differ in what they do after writing the last one.
    text.truncate(max(width - 1, 1), overflow="crop")
    text.no_wrap = True
    return text
