"""Questions to other machines, several at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from zbuild.base.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_AT_ONCE = 8
_Question = TypeVar("_Question")


def ask_at_once(
    questions: Collection[_Question], ask: Callable[[_Question], object], cancel: Callable[[], None]
) -> None:
    """Ask all questions; answers and RegistryErrors are for `ask` to keep, until it is asked once more.

    Anything else that is raised ends the rest by `cancel`, since threads are waited for.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - most runs ask one question at most

    def try_to(question: _Question) -> None:
        with suppress(RegistryError):
            ask(question)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            list(pool.map(try_to, questions))
        except BaseException:
            cancel()
            raise
