"""What a build asks of remote caches, and what stands in where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from zbuild.base.errors import ImageGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zbuild.plan.describe import Described
    from zbuild.plan.planner import Decision
    from zbuild.state.record import Record


class Remote(Protocol):
    """Results of other machines; see `RemoteCache`."""

    @property
    def shares(self) -> bool:
        """Whether results are brought to other machines."""
        ...

    def find(self, names: Sequence[str], decisions: Mapping[str, Decision]) -> dict[str, tuple[Record, str]]:
        """Return the records of those stages whose results are found, and where."""
        ...

    def find_result(
        self, described: Described, key: str, record_of: Callable[[str], Record]
    ) -> tuple[Record, str] | None:
        """Return the record of a stage whose inputs have come to something, and where it is; None without one."""
        ...

    def prefetch(self, records: Iterable[Record]) -> None:
        """Begin to fetch the layers of found records, which are about to be loaded."""
        ...

    def load(self, record: Record, names: Sequence[str]) -> None:
        """Bring a found record's image into the store under names. Raises ImageGoneError."""
        ...

    def give_up(self) -> None:
        """Find nothing from now on."""
        ...

    def offer(
        self,
        name: str,
        record: Record,
        decisions: Mapping[str, Decision],
        result: Callable[[str], Record | None],
        *,
        replace: bool,
    ) -> None:
        """Begin to bring a stage's result to where results are written to; `result` tells those of the others.

        `replace`: also where there is one already.
        """
        ...

    def finish(self) -> bool:
        """Wait for what is on its way; tell whether all results are where they should be."""
        ...

    def cancel(self) -> None:
        """Let everyone who waits go on."""
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


class NoRemoteCache:
    """Stands in for remote caches where there are none."""

    shares = False

    def find(self, names: Sequence[str], decisions: Mapping[str, Decision]) -> dict[str, tuple[Record, str]]:  # noqa: ARG002 - see RemoteCache
        """Find nothing."""
        return {}

    def find_result(self, described: Described, key: str, record_of: Callable[[str], Record]) -> None:
        """Find nothing."""

    def prefetch(self, records: Iterable[Record]) -> None:
        """Do nothing."""

    def load(self, record: Record, names: Sequence[str]) -> None:  # noqa: ARG002 - likewise
        """Raise ImageGoneError: nothing was found that could be loaded."""
        raise ImageGoneError("image-gone", f"the image {record.image_id[:12]} is no longer in the store")

    def give_up(self) -> None:
        """Do nothing."""

    def offer(
        self,
        name: str,
        record: Record,
        decisions: Mapping[str, Decision],
        result: Callable[[str], Record | None],
        *,
        replace: bool,
    ) -> None:
        """Do nothing."""

    def finish(self) -> bool:
        """Say that all is done."""
        return True

    def cancel(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
