"""What differs between a stage's material now and what its last record was made from."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from zbuild.plan.types import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

Told = tuple[str, str, str]


def changes(old: Sequence[Told], new: Sequence[Told]) -> tuple[Change, ...]:
    """Compare two materials, each a list of (instruction, what, value), and return what differs, in the new order.

    Inputs are matched by instruction and name, repeated ones by their order; what has gone comes last.
    """
    before = _numbered(old)
    after = _numbered(new)
    found = [_change(was, now) for key, now in after.items() if (was := before.get(key)) is None or was[2] != now[2]]
    gone = [Change(was[0], was[1], was[2], "") for key, was in before.items() if key not in after]
    return tuple(_without_echoes([*found, *gone]))


def first_changed(old: Sequence[Told], new: Sequence[Told], ends: Sequence[int]) -> int | None:
    """Return the first step, from 0, with an input that differs; None when none does, or what all stand upon does.

    `ends` is as in `Material`. What is not known yet (`?`) counts as equal.
    """
    size = min(len(old), len(new))
    same = next((i for i in range(size) if new[i][2] != "?" and old[i][1:] != new[i][1:]), size)
    if same < ends[0]:
        return None
    return next((step for step, end in enumerate(ends[1:]) if same < end), None)


def _numbered(told: Sequence[Told]) -> dict[tuple[str, str, int], Told]:
    """Return the inputs by instruction, name and how often these were there before; there is one base, whichever."""
    seen: Counter[tuple[str, str]] = Counter()
    result = {}
    for instruction, what, value in told:
        key = ("FROM" if what == "base" else instruction, what)
        seen[key] += 1
        result[*key, seen[key]] = (instruction, what, value)
    return result


def _change(was: Told | None, now: Told) -> Change:
    instruction, what, value = now
    if was is None or was[0] == instruction:
        return Change(instruction, what, was[2] if was else "", value)
    return Change("FROM", what, _with_reference(was), _with_reference(now))


def _with_reference(base: Told) -> str:
    """Return a base with what it is called, for it has become another one."""
    reference = base[0].removeprefix("FROM").strip()
    return f"{reference}@{base[2]}" if reference else base[2]


def _without_echoes(found: list[Change]) -> list[Change]:
    """Leave out what merely follows: the inputs of an instruction that came or went, and each RUN's copy of an ENV."""
    main = {change.instruction for change in found if change.what in ("command", "instruction", "folder")}
    kept = [
        change
        for change in found
        if change.instruction not in main or change.what in ("command", "instruction", "folder")
    ]
    told: set[tuple[str, str, str]] = set()
    result = []
    for change in kept:
        name = change.what.removeprefix("variable ").removeprefix("ENV ")
        echo = (name, change.old, change.new)
        if name == change.what or echo not in told:
            result.append(change)
        told.add(echo)
    return result


def short_reason(found: Sequence[Change]) -> str:
    """Say the first difference in a few words, for plans and progress."""
    if not found:
        return "an input changed"
    first = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    if first.what in ("command", "instruction", "folder"):
        verb = "is new" if not first.old else "is gone" if not first.new else "changed"
        return f"{first.instruction} {verb}{more}"
    if first.what == "base" and first.instruction != "FROM":
        return f"its base {first.instruction.removeprefix('FROM ')} moved{more}"
    if first.what in ("files", "content", "commit", "image"):
        return f"{first.what} of {first.instruction} changed{more}"
    return f"{first.what} changed{more}"
