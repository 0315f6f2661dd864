"""Jobs, how each of them ended, and how all of them did."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.base.errors import ZbuildError


@dataclass(frozen=True, slots=True)
class Done:
    """The job succeeded, with what `on_done` is to be given."""

    value: object = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The job failed."""

    error: ZbuildError


Outcome: TypeAlias = Done | Failed


@dataclass(frozen=True, slots=True)
class Job:
    """Something to run once all jobs named in `after` are done; names that are no jobs count as done.

    `weight` is how long it is expected to take, in any unit that all jobs share. `action` is called on a worker
    thread; it returns how it ended, and a ZbuildError that it raises instead is a failure like any other.
    """

    name: str
    after: tuple[str, ...]
    weight: float
    action: Callable[[], Outcome]


@dataclass(frozen=True, slots=True)
class ExitSummary:
    """How the jobs ended: the names that failed, and those not tried since one they depend on failed."""

    failed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
