"""The no-op fast path: when nothing has changed since the same command last ended well, say so and be done.

After a build, zbuild leaves a stamp under the hash of the command line: what every file it looked at was like
(build files, ignore files, the folders it searched, its own records, the store's index), and which stat indexes
cover the contexts. When all of it is as it was, the answer is too. Otherwise the ordinary way is taken.

This module is imported on every start: it must import next to nothing (a test holds it to that).
"""

import os
import sys
import time

import xxhash

from zbuild.plan.quickcheck import check
from zbuild.report.uptodate import up_to_date_text
from zbuild.state.stamp import read_stamp, unchanged

_SETTINGS = ("ZBUILD_", "STORAGE_", "CONTAINERS_", "BUILDAH_", "XDG_", "HOME=", "SOURCE_DATE_EPOCH=")


def try_quick(argv: list[str]) -> int | None:
    """Return 0 when the command is a build that has nothing to do, having said so; None when it must be looked into."""
    started = time.perf_counter()
    root = _workspace(argv) if argv[:1] == ["build"] else ""
    if not root:
        return None
    stamp = read_stamp(stamp_path(root, argv))
    if stamp is None or not unchanged(stamp["rows"]):
        return None
    if not all(check(index) for index in stamp["indexes"]):
        return None
    for path, data in stamp["files"]:
        with open(path, "wb") as file:  # noqa: PTH123 - pathlib costs 10 ms to import
            file.write(data)
    if stamp["told"]:
        sys.stderr.write(up_to_date_text(stamp["images"], time.perf_counter() - started) + "\n")
    return 0


def stamp_path(root: str, argv: list[str]) -> str:
    """Return where the stamp of a command line lies, in a workspace; the settings in the environment count, too."""
    settings = sorted(f"{name}={value}" for name, value in os.environ.items() if f"{name}=".startswith(_SETTINGS))
    text = "\0".join([os.getcwd(), *argv, "", *settings])  # noqa: PTH109
    name = xxhash.xxh3_128_hexdigest(os.fsencode(text))
    return f"{root}/.zbuild/plan/{name}.stamp"


def _workspace(argv: list[str]) -> str:
    """Return the nearest folder upwards that zbuild has worked in, from -C's folder or this one; "" for none."""
    start = "."
    for index, word in enumerate(argv[:-1]):
        if word in ("-C", "--directory"):
            start = argv[index + 1]
    folder = os.path.abspath(start)  # noqa: PTH100
    while True:
        if os.path.isdir(f"{folder}/.zbuild/plan"):  # noqa: PTH112
            return folder
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return ""
        folder = parent
