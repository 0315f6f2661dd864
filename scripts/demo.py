"""Shows in a minute what zbuild does: builds examples/shop, changes one file at a time, and builds again.

Exits with 1 when a stage ran that should not have, or did not run though it should. Every file is put back; the images
stay in the user's store (`zbuild clean --all -C examples/shop` removes them).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[1]
_SHOP = _ROOT / "examples/shop"
_ZBUILD = _ROOT / ".venv/bin/zbuild"
_PROGRAM = "services/cart/src/total.shop"


@dataclass(frozen=True, slots=True)
class Act:
    """One build: what is told before, the lines that the cart's program has more, and the stages that must run.

    `runs` None: whatever has not been built yet. `explain` names an image to ask about afterwards.
    """

    title: str
    lines: tuple[str, ...] = ()
    runs: frozenset[str] | None = frozenset()
    explain: str = ""


def acts(now: int) -> tuple[Act, ...]:
    """Return the demo's builds; `now` makes each run's changes new, as they would be cached otherwise."""
    code, comment = f': "demo {now}"', f"# demo {now}"
    return (
        Act("Build everything: ten images, and one that is nested in another.", runs=None),
        Act("Build again. Nothing changed, so no builder is even started."),
        Act(
            "Change the cart's program: its two stages run, and the storefront, which copies the program.",
            (code,),
            frozenset({"cart/build", "cart/service", "storefront"}),
        ),
        Act(
            "Add a comment: it is compiled again, to an equal program, and the build stops there.",
            (code, comment),
            frozenset({"cart/build"}),
            explain="cart",
        ),
        Act("Build again.", (code, comment)),
        Act("Put the program back as it was: what was built from it before is still known."),
    )


def main() -> int:
    wrong = 0
    program = _SHOP / _PROGRAM
    with _put_back(program), tempfile.TemporaryDirectory() as folder:
        written = program.read_text()
        for number, act in enumerate(acts(time.time_ns()), 1):
            _tell(f"{number}. {act.title}")
            _write(program, written, act.lines)
            wrong += _judge(_build(Path(folder) / "built.json"), act.runs)
            if act.explain:
                _zbuild("explain", act.explain)
    _tell("Not as it should be." if wrong else "All as it should be.")
    return 1 if wrong else 0


@contextmanager
def _put_back(path: Path) -> Iterator[None]:
    before = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(before)


def _write(program: Path, written: str, lines: tuple[str, ...]) -> None:
    changed = written + "".join(f"{line}\n" for line in lines)
    if changed != program.read_text():
        program.write_text(changed)
        print(f"  {_PROGRAM} ends with: {lines[-1] if lines else 'what it had'}")


def _build(metadata: Path) -> frozenset[str]:
    """Build the shop; return the stages that ran."""
    _zbuild("build", "--metadata-file", str(metadata), shown="build")
    images = json.loads(metadata.read_text())["images"]
    stages = ((image, stage) for image, built in images.items() for stage in built["stages"])
    return frozenset(_name(image, stage["name"]) for image, stage in stages if stage["action"] == "run")


def _name(image: str, stage: str) -> str:
    """Name a stage as people do: the image alone where the stage has only a number."""
    return image if stage.isdecimal() else f"{image}/{stage}"


def _zbuild(*arguments: str, shown: str = "") -> None:
    print(f"$ zbuild {shown or ' '.join(arguments)}", flush=True)
    done = subprocess.run([_ZBUILD, *arguments], cwd=_SHOP, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


def _judge(ran: frozenset[str], runs: frozenset[str] | None) -> bool:
    print(f"  ran: {', '.join(sorted(ran)) or 'nothing'}")
    wrong = runs is not None and ran != runs
    if wrong:
        print(f"  should have run: {', '.join(sorted(runs or ())) or 'nothing'}")
    return wrong


def _tell(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
