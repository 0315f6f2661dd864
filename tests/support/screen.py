"""A small terminal: what stands on the screen after a program has written to it."""

from __future__ import annotations

import re
import unicodedata

_TOKEN = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|(\r|\n|\x08)|([^\x00-\x1f\x7f-\x9f])|(.)", re.DOTALL)


class Screen:
    """Knows what rich and zbuild write: text, line feeds, cursor up, erase in line, colours, the cursor's look.

    Anything else is kept in `foreign`. It is as high as need be, so what scrolls away can be read, too.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows: list[list[str]] = [[]]
        self.row = self.column = 0
        self.cursor_shown = True
        self.foreign: list[str] = []

    def feed(self, text: str) -> Screen:
        for arguments, command, control, character, other in _TOKEN.findall(text):
            if command:
                self._command(arguments, command)
            elif control:
                self._control(control)
            elif character:
                self._put(character)
            else:
                self.foreign.append(other)
        return self

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self.rows]

    def _command(self, arguments: str, command: str) -> None:
        if command == "A":
            self.row = max(0, self.row - int(arguments or 1))
        elif command == "K":
            self.rows[self.row] = [] if arguments == "2" else self.rows[self.row][: self.column]
        elif arguments + command in ("?25l", "?25h"):
            self.cursor_shown = command == "h"
        elif command != "m":
            self.foreign.append(arguments + command)

    def _control(self, control: str) -> None:
        if control == "\r":
            self.column = 0
        elif control == "\n":
            self._down()
        else:
            self.foreign.append(control)

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])

    def _put(self, character: str) -> None:
        if self.column >= self.width:
            self._down()
            self.column = 0
        row = self.rows[self.row]
        row.extend(" " * (self.column - len(row)))
        row[self.column : self.column + 1] = [character]
        self.column += 1
        if unicodedata.east_asian_width(character) in "WF":
            row[self.column : self.column + 1] = [""]
            self.column += 1
