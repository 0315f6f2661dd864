"""What the printers of build files share: the IR written down again, and what of it could not be."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from zbuild.base.diagnostic import Diagnostic

_UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns"))


@dataclass(frozen=True, slots=True)
class Printed:
    """A build file's text. Errors among the problems are what it lacks, warnings what it says differently."""

    text: str
    problems: tuple[Diagnostic, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return all(problem.severity != "error" for problem in self.problems)


def unsaid(value: Any, said: Collection[str]) -> Iterator[str]:  # noqa: ANN401 - any dataclass of the IR
    """Yield the fields of an instruction or mount that hold something, and are not among those that can be said."""
    for item in fields(value):
        default = item.default if item.default is not MISSING else None
        if item.compare and item.name not in said and getattr(value, item.name) != default:
            yield item.name


def duration_text(nanoseconds: int) -> str:
    """Return a duration as build files write it, exactly: `30s`, `1500ms`."""
    size, unit = next((size, unit) for size, unit in _UNITS if nanoseconds % size == 0)
    return f"{nanoseconds // size}{unit}"
