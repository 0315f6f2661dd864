"""Runs the cases: each round, every builder meets the same change, one after the other, on the same machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Literal, TypeAlias

from peers import Zbuild

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from generate import Work
    from peers import Peer

Case: TypeAlias = Literal["cold", "noop", "leaf", "shared", "step"]
CASES: dict[Case, str] = {
    "cold": "cold",
    "noop": "nothing changed",
    "leaf": "one leaf's file changed",
    "shared": "the shared base's file changed",
    "step": "step 7 changed",
}


@dataclass(slots=True)
class Result:
    """Wall seconds per builder of one case; `stages_run` counts zbuild's, in a round that is not timed."""

    work: str
    title: str
    case: Case
    seconds: dict[str, list[float]] = field(default_factory=dict)
    stages: int = 0
    stages_run: int | None = None
    load: float = 0.0

    def add(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)

    def least(self, name: str) -> float | None:
        return min(self.seconds[name], default=None) if name in self.seconds else None

    def middle(self, name: str) -> float | None:
        return median(self.seconds[name]) if self.seconds.get(name) else None


def timed(action: Callable[[], object]) -> float:
    """Return the wall seconds of an action; what others have left to be written goes to the disk before."""
    os.sync()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


class Measurement:
    """Measures one workspace with several builders."""

    def __init__(self, work: Work, peers: Sequence[Peer], tell: Callable[[Result], None]) -> None:
        self._work = work
        self._peers = peers
        self._tell = tell
        self._changes = 0

    def cases(self, wanted: Sequence[Case], rounds: int, cold_rounds: int) -> list[Result]:
        """Measure the cases; all need the cold builds, which come first and are told only when wanted."""
        results = [self._cold(cold_rounds if "cold" in wanted else 1)]
        if "noop" in wanted:
            results.append(self._case("noop", rounds, None))
        if "leaf" in wanted:
            results.append(self._case("leaf", rounds, self._work.leaf))
        if "step" in wanted:
            results.append(self._case("step", rounds, self._work.leaf))
        if "shared" in wanted:
            results.append(self._case("shared", cold_rounds, self._work.shared))  # which builds everything again
        return [result for result in results if result.case in wanted]

    def _cold(self, rounds: int) -> Result:
        result = self._result("cold")
        for _ in range(rounds):
            for peer in self._peers:
                peer.reset(self._work)
                result.add(peer.name, timed(lambda peer=peer: peer.build(self._work)))
        return self._finish(result)

    def _case(self, case: Case, rounds: int, changed: Path | None) -> Result:
        result = self._result(case)
        for _ in range(rounds):
            self._change(changed)
            for peer in self._peers:
                if not peer.cold_only:
                    result.add(peer.name, timed(lambda peer=peer: peer.build(self._work)))
            if case == "noop":
                self._floors(result)
        zbuild = next((peer for peer in self._peers if isinstance(peer, Zbuild) and not peer.cold_only), None)
        if zbuild is not None:
            self._change(changed)
            result.stages_run = zbuild.stages_run(self._work)
        return self._finish(result)

    def _floors(self, result: Result) -> None:
        git = ["git", "-C", str(self._work.root), "status", "--porcelain"]
        result.add("git status", timed(lambda: _silent(git)))
        result.add("python -c pass", timed(lambda: _silent([sys.executable, "-c", "pass"])))

    def _change(self, path: Path | None) -> None:
        if path is not None:
            self._changes += 1
            path.write_text(self._work.change.format(self._changes))

    def _result(self, case: Case) -> Result:
        return Result(self._work.name, self._work.title, case, stages=self._work.stages)

    def _finish(self, result: Result) -> Result:
        result.load = os.getloadavg()[0]
        self._tell(result)
        return result


def track_with_git(root: Path) -> None:
    """Put a workspace under git, so that `git status` has the same files to look at."""
    git = ["git", "-C", str(root), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Generated"]):
        _silent([*git, *arguments])


def _silent(argv: list[str]) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
