"""Permissions as COPY --chmod takes them: octal digits, or chmod's letters ("u=rwX,go=rX").

BuildKit reads the letters as BSD's chmod does (its setmode(3)), with no umask: so `+x` means `a+x`, and `=` takes
the set-uid and set-gid bits of its `u` and `g` away.
"""

from __future__ import annotations

import re
import stat
from typing import Literal, TypeAlias, cast

from zbuild.base.dataclass import dataclass

_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o007, "a": 0o6777}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000}
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_OCTAL = re.compile(r"[0-7]+", re.ASCII)
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwxXstugo]*)+)")
_ACTION = re.compile(r"([-+=])([rwxXstugo]*)")
_LARGEST = 0o7777

_Sign: TypeAlias = Literal["-", "+", "="]


def plain_mode(mode: int) -> int:
    """Return permission bits as they would be under any umask: all get what the owner has, and he alone may write.

    Other bits go: folders hand set-gid down to whatever is made in them.
    """
    owner = mode & 0o700
    shared = owner & 0o500
    return owner | shared >> 3 | shared >> 6


@dataclass(frozen=True, slots=True)
class _Action:
    """One sign with its letters: which bits `who` may touch, and what is done to them."""

    who: int
    sign: _Sign
    letters: str

    def apply(self, mode: int, before: int) -> int:
        bits = self._bits(mode, before)
        if self.sign == "-":
            return mode & ~bits
        return bits | (mode & ~self.who if self.sign == "=" else mode)

    def _bits(self, mode: int, before: int) -> int:
        bits = 0
        for letter in self.letters:
            if letter in _SHIFTS:  # what that class has, for all that are asked
                bits |= (mode >> _SHIFTS[letter] & 0o7) * 0o111
            elif letter == "t":  # not of the others alone
                bits |= stat.S_ISVTX if self.who & ~0o007 else 0
            elif letter == "X":
                bits |= 0o111 if stat.S_ISDIR(before) or before & 0o111 else 0
            else:
                bits |= _BITS[letter]
        return bits & (self.who | stat.S_ISVTX)


@dataclass(frozen=True, slots=True)
class FileMode:
    """Permissions to give: `octal`, or what the letters make of those that were there."""

    octal: int | None
    actions: tuple[_Action, ...] = ()

    def apply(self, before: int) -> int:
        """Return the permission bits that a file of the mode `before` (with its type, for folders) gets."""
        if self.octal is not None:
            return self.octal
        mode = stat.S_IMODE(before)
        for action in self.actions:
            mode = action.apply(mode, before)
        return mode


def parse_file_mode(text: str) -> FileMode:
    """Read permissions. Raises ValueError for what are none."""
    if _OCTAL.fullmatch(text) and (octal := int(text, 8)) <= _LARGEST:
        return FileMode(octal)
    clauses = [_CLAUSE.fullmatch(clause) for clause in text.split(",")]
    if None in clauses:
        raise ValueError(f"'{text[:40]}' is no mode; write it like 0755, or u=rwX,go=rX")
    return FileMode(None, tuple(action for clause in clauses if clause for action in _actions(*clause.groups())))


def _actions(classes: str, actions: str) -> list[_Action]:
    who = 0
    for letter in classes or "a":
        who |= _WHO[letter]
    return [_Action(who, cast("_Sign", sign), letters) for sign, letters in _ACTION.findall(actions)]
