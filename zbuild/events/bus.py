"""Hands events to listeners, one at a time, from whatever thread they come."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.events.types import Event

Emit: TypeAlias = "Callable[[Event], None]"


def ignore_events(_event: Event) -> None:
    """Listen to nothing: the null listener."""


class Bus:
    """Calls every listener with every event, under one lock, so that listeners need none of their own."""

    def __init__(self, *listeners: Emit) -> None:
        self._listeners = listeners
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Tell all listeners."""
        with self._lock:
            for listener in self._listeners:
                listener(event)
