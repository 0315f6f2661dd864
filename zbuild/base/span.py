"""Where something stands in a build file."""

from __future__ import annotations

from dataclasses import field

from zbuild.base.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a text: file as the user named it, line and column counted from 1.

    Line 0 stands for what is no file: an option of the command line, a variable of the environment.
    `end` is the last line of what begins there, 0 where that is not known; it does not tell two places apart.
    """

    file: str
    line: int
    column: int = 1
    end: int = field(default=0, compare=False)

    @property
    def last_line(self) -> int:
        """The last line of what begins here, as far as that is known."""
        return max(self.line, self.end)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file
