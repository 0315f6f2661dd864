"""Makes text from elsewhere safe to show: no command's output may move the cursor or hide what follows."""

from __future__ import annotations

import re

_LONGEST = 4000  # characters of one line that are worth showing; the log keeps the whole
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement (ECMA-48 5.4)
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI as one C1 character
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS and their like, to their terminator
    r"|\x1b[ -/]*[0-~]"  # the two-character sequences
)
# Controls, surrogates of bytes that are no text, and the marks that reorder or break lines.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str, encoding: str = "utf-8") -> str:
    """Return one line without escape sequences or control characters, which `encoding` can express.

    Of a line that was overwritten by carriage returns, what stood there last is kept, as a terminal would show it.
    """
    shown = text.rstrip("\r\n").rpartition("\r")[2][:_LONGEST]
    safe = _UNSAFE.sub("?", _ESCAPES.sub("", shown).expandtabs(8))
    return safe.encode(encoding, "replace").decode(encoding)


def one_line(text: str) -> str:
    """Return an instruction on one line: a heredoc or a continued command is cut after its first line."""
    first, _, rest = text.strip().partition("\n")
    return first.rstrip(" \\") + " ..." if rest.strip() else first
