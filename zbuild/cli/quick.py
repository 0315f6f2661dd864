"""The no-op fast path: when nothing has changed since the same command last ended well, say so and be done.

After a build, zbuild leaves a stamp under the hash of the command line: what every file it looked at was like
(build files, ignore files, the folders it searched, its own records, the store's index), which stat indexes cover the
contexts, and until when what servers told of URLs holds. When all of it is as it was, the answer is too. Otherwise the
ordinary way is taken.

This module is imported on every start: it must import next to nothing (a test holds it to that).
"""

from __future__ import annotations

import os
import sys
import time

import xxhash

from zbuild.plan.quickcheck import check
from zbuild.report.uptodate import up_to_date_text
from zbuild.state.stamp import read_stamp, same_environment, unchanged

TYPE_CHECKING = False  # typing costs 9 ms to import; type checkers take this name for True
if TYPE_CHECKING:
    from typing import Any

_SETTINGS = ("ZBUILD_", "STORAGE_", "CONTAINERS_", "BUILDAH_", "XDG_", "HOME=", "SOURCE_DATE_EPOCH=")


def try_quick(argv: list[str]) -> int | None:
    """Return 0 when the command is a build that has nothing to do, having said so; None when it must be looked into."""
    started = time.perf_counter()
    root = _workspace(argv) if argv[:1] == ["build"] else ""
    stamp: Any = read_stamp(stamp_path(root, argv)) if root else None  # what `stamp.leave_stamp` wrote
    if stamp is None or time.time() >= stamp["until"] or not same_environment(stamp["environment"]):
        return None
    if not unchanged(stamp["rows"]) or not all(map(check, stamp["indexes"])):
        return None
    if stamp["files"]:
        from zbuild.base.files import write_whole  # noqa: PLC0415 - only --metadata-file needs it

        for path, data in stamp["files"]:
            write_whole(path, data)
    if stamp["told"] and sys.stderr:
        sys.stderr.write(up_to_date_text(stamp["images"], time.perf_counter() - started) + "\n")
    return 0


def stamp_path(root: str, argv: list[str]) -> str:
    """Return where the stamp of a command line lies in a workspace; the settings in the environment count, too."""
    settings = sorted(f"{name}={value}" for name, value in os.environ.items() if f"{name}=".startswith(_SETTINGS))
    given = [f"{name}={os.environ.get(name)}" for name in _from_environment(argv)]
    text = "\0".join([os.getcwd(), *argv, "", *settings, "", *given])  # noqa: PTH109 - pathlib costs 10 ms to import
    return f"{root}/.zbuild/plan/{xxhash.xxh3_128_hexdigest(os.fsencode(text))}.stamp"


def _from_environment(argv: list[str]) -> list[str]:
    """Return the build arguments whose values are the environment's: `--build-arg NAME`."""
    words = [argv[index + 1] for index, word in enumerate(argv[:-1]) if word == "--build-arg"]
    words += [word.removeprefix("--build-arg=") for word in argv if word.startswith("--build-arg=")]
    return [word for word in words if "=" not in word]


def _workspace(argv: list[str]) -> str:
    """Return the nearest folder upwards that zbuild has worked in, from -C's folder or this one; "" for none."""
    start = argv[argv.index("-C") + 1] if "-C" in argv[:-1] else "."
    folder = os.path.abspath(start)  # noqa: PTH100 - see above
    while not os.path.isdir(f"{folder}/.zbuild/plan"):  # noqa: PTH112
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return ""
        folder = parent
    return folder
