"""What a plan reads of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class Recorded(Protocol):
    """What a plan reads of a record."""

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def image_id(self) -> str: ...  # noqa: D102
    @property
    def content(self) -> str: ...  # noqa: D102
    @property
    def diff_ids(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def config(self) -> str: ...  # noqa: D102
    @property
    def inputs(self) -> tuple[tuple[str, str, str], ...]: ...  # noqa: D102
    @property
    def exports(self) -> tuple[tuple[str, str], ...]: ...  # noqa: D102
    @property
    def created(self) -> float: ...  # noqa: D102


class Records(Protocol):
    """What a plan asks of the record store."""

    def get(self, key: str) -> Recorded | None:
        """Return the record kept under a result key."""
        ...

    def by_static(self, static_key: str) -> Recorded | None:
        """Return the newest record with that static key."""
        ...

    def has_own(self, own_key: str) -> bool:
        """Say whether any record has that own key."""
        ...

    def latest(self, stage: str) -> Recorded | None:
        """Return the newest record of a vertex."""
        ...

    def last_seconds(self, stage: str) -> float | None:
        """Return how long a vertex took the last time it ran."""
        ...

    def images_of(self, prefixes: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return, for keys of files as they are after a step, the images that hold them, the oldest first."""
        ...
