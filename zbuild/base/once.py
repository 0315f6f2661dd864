"""Questions that are answered once, whichever thread asks first."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Generic, TypeVar

from zbuild.base.errors import ZbuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Question = TypeVar("Question", bound="Hashable")
Answer = TypeVar("Answer")


class Once(Generic[Question, Answer]):
    """Keeps answers, and errors of zbuild's own, which are raised again. Who asks while one is found waits for it."""

    def __init__(self) -> None:
        self._answers: dict[Question, Answer] = {}
        self._errors: dict[Question, ZbuildError] = {}
        self._locks: defaultdict[Question, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def get(self, question: Question, find: Callable[[], Answer]) -> Answer:
        """Return the answer, which `find` finds if nobody has asked before."""
        with self._guard:
            lock = self._locks[question]
        with lock:
            if question in self._errors:
                raise self._errors[question]
            if question not in self._answers:
                try:
                    self._answers[question] = find()
                except ZbuildError as error:
                    self._errors[question] = error
                    raise
            return self._answers[question]
