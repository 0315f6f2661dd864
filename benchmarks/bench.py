"""Measures zbuild against buildah and BuildKit on generated work, all in one run.

usage: bench.py [--quick] [--work NAME]... [--case NAME]... [--without PEER]... [--write-docs]

Writes benchmarks/out/bench.json and prints tables; `--write-docs` puts them into docs/performance.md too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import buildkit
from generate import WORKS
from measure import CASES, Measurement, track_with_git
from peers import Buildah, CommandFailedError, Zbuild, ZbuildWithoutCheckpoints
from table import floors_table, targets_table, times_table

if TYPE_CHECKING:
    from measure import Result
    from peers import Peer

_HERE = Path(__file__).parent
_OUT = _HERE / "out"
_DOCS = _HERE.parent / "docs/performance.md"
_MARKS = ("<!-- bench:begin -->", "<!-- bench:end -->")
# Where only these cases tell something: there is no base to change below one image.
_CASES_OF = {"single": ("noop",), "files": ("noop",), "steps": ("cold", "step")}
_OTHER_CASES = ("cold", "noop", "leaf", "shared")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two rounds of each, for a look")
    parser.add_argument("--work", action="append", choices=WORKS, help="only this work (may be repeated)")
    parser.add_argument("--case", action="append", choices=CASES, help="only this case (may be repeated)")
    parser.add_argument("--without", action="append", default=[], choices=("buildah", "buildkit", "zbuild"))
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each case (default 7)")
    parser.add_argument("--cold-rounds", type=int, default=3, help="rounds of what builds everything (default 3)")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/performance.md")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds, chosen.cold_rounds = 2, 1
    return chosen


def main() -> int:
    chosen = arguments()
    # On disk, as real stores are; a short path, since a unix socket lies in it.
    folder = Path(tempfile.mkdtemp(prefix="zbench-", dir="/var/tmp"))
    peers = _peers(folder, chosen.without)
    print(f"load average at the start: {os.getloadavg()[0]:.2f}, builders: {', '.join(p.name for p in peers)}")
    try:
        results = [result for name in chosen.work or WORKS for result in _measure(name, folder, peers, chosen)]
    except CommandFailedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        for peer in peers:
            peer.close()
        shutil.rmtree(folder)
    _write(results, chosen)
    return 0


def _peers(folder: Path, without: list[str]) -> list[Peer]:
    plain = ZbuildWithoutCheckpoints(folder / "zbuild-no-layers")  # before zbuild, which takes the workspace over
    peers: list[Peer] = [Buildah(folder / "buildah"), plain, Zbuild(folder / "zbuild")]
    if buildkit.available():
        peers.append(buildkit.BuildKit(folder / "buildkit"))
    return [peer for peer in peers if peer.name.partition(" ")[0] not in without]


def _measure(name: str, folder: Path, peers: list[Peer], chosen: argparse.Namespace) -> list[Result]:
    root = folder / name
    root.mkdir()
    work = WORKS[name](root)
    track_with_git(root)
    wanted = [case for case in chosen.case or CASES if case in _CASES_OF.get(name, _OTHER_CASES)]
    peers = [peer for peer in peers if name == "steps" or not peer.cold_only]
    return Measurement(work, peers, _tell).cases(wanted, chosen.rounds, chosen.cold_rounds) if wanted else []


def _tell(result: Result) -> None:
    times = ", ".join(f"{name} {result.least(name):.3f}" for name in result.seconds)
    print(f"{result.title}, {CASES[result.case]}: {times} (load {result.load:.2f})", flush=True)


def _write(results: list[Result], chosen: argparse.Namespace) -> None:
    _OUT.mkdir(exist_ok=True)
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.release()}, {os.cpu_count()} cores",
        "rounds": chosen.rounds,
        "cold_rounds": chosen.cold_rounds,
    }
    data = about | {"results": [asdict(result) for result in results]}
    (_OUT / "bench.json").write_text(json.dumps(data, indent=2) + "\n")
    text = (
        f"Measured {about['date'][:10]} on {about['machine']}. Least / median wall seconds of {chosen.rounds} rounds "
        f"({chosen.cold_rounds} where everything is built).\n\n"
        f"{times_table(results)}\n\n### Targets\n\n{targets_table(results)}\n\n### Floors\n\n{floors_table(results)}"
    )
    print(f"\n{text}")
    if chosen.write_docs:
        before, _, rest = _DOCS.read_text().partition(_MARKS[0])
        after = rest.partition(_MARKS[1])[2]
        _DOCS.write_text(f"{before}{_MARKS[0]}\n{text}\n{_MARKS[1]}{after}")


if __name__ == "__main__":
    sys.exit(main())
