"""Shows in a minute what zbuild does: builds examples/shop, changes one file at a time, and builds again.

Exits with 1 when a stage ran that should not have, or did not run though it should. Puts every file back; the images
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
_PROGRAM = _SHOP / "services/cart/src/total.shop"


@dataclass(frozen=True, slots=True)
class Act:
    """One build: what is told before, the line added to the cart's program, and the stages that must run."""

    title: str
    line: str | None = None
    expected: frozenset[str] | None = None


def acts(now: int) -> tuple[Act, ...]:
    """Return the demo's builds; `now` makes each run's changes new, as they would be cached otherwise."""
    return (
        Act("Build everything: eleven images, each once, what does not depend on each other at once."),
        Act("Build again. Nothing changed, so no builder is even started.", None, frozenset()),
        Act(
            "Change the cart's program: its two stages run, and the storefront, which copies the program.",
            f': "demo {now}"',
            frozenset({"cart/build", "cart/service", "storefront"}),
        ),
        Act(
            "Change a comment in it: it is compiled again, to an equal program, and the build stops there.",
            f"# demo {now}",
            frozenset({"cart/build"}),
        ),
        Act("Build again.", None, frozenset()),
    )


def main() -> int:
    wrong = 0
    with _put_back(_PROGRAM), tempfile.TemporaryDirectory() as folder:
        for number, act in enumerate(acts(time.time_ns()), 1):
            _tell(f"{number}. {act.title}")
            if act.line is not None:
                with _PROGRAM.open("a") as program:
                    program.write(f"{act.line}\n")
                print(f"$ echo '{act.line}' >>{_PROGRAM.relative_to(_SHOP)}")
            ran = _build(Path(folder) / "built.json")
            wrong += _judge(ran, act.expected)
        _tell("Why did the cart's second stage not run?")
        _zbuild("explain", "cart")
    print(
        "\nThe changed file is as it was.", "Something ran that should not have." if wrong else "All as it should be."
    )
    return 1 if wrong else 0


@contextmanager
def _put_back(path: Path) -> Iterator[None]:
    before = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(before)


def _build(metadata: Path) -> frozenset[str]:
    """Build the shop; return the stages that ran."""
    _zbuild("build", "--metadata-file", str(metadata), shown="build")
    images = json.loads(metadata.read_text())["images"].values()
    return frozenset(stage["name"] for image in images for stage in image["stages"] if stage["action"] == "run")


def _zbuild(*arguments: str, shown: str = "") -> None:
    print(f"$ zbuild {shown or ' '.join(arguments)}", flush=True)
    done = subprocess.run([_ZBUILD, *arguments], cwd=_SHOP, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)


def _judge(ran: frozenset[str], expected: frozenset[str] | None) -> bool:
    names = ", ".join(sorted(ran)) or "nothing"
    if expected is None or ran == expected:
        print(f"  ran: {names}")
        return False
    print(f"  ran: {names}; expected: {', '.join(sorted(expected)) or 'nothing'}")
    return True


def _tell(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
