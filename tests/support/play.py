"""Plays a scripted build on stderr: `play.py DISPLAY SCRIPT PAUSE`, PAUSE in seconds between events."""

from __future__ import annotations

import sys
import time

from support import script
from zbuild.report.select import open_report


def main() -> None:
    display, name, pause = sys.argv[1:]
    report = open_report(display, sys.stderr)  # type: ignore[arg-type] # the test names a display there is
    try:
        for event in getattr(script, name):
            report(event)
            time.sleep(float(pause))
    finally:
        report.close()
    sys.stdout.write(str("rich" in sys.modules))


if __name__ == "__main__":
    main()
