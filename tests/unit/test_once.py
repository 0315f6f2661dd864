from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from zbuild.base.errors import RegistryError
from zbuild.base.once import Once


def test_who_asks_at_the_same_time_waits_for_the_one_answer() -> None:
    once: Once[str, int] = Once()
    begun, go_on = threading.Event(), threading.Event()
    found: list[int] = []

    def find() -> int:
        found.append(1)
        begun.set()
        go_on.wait(10)
        return len(found)

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(once.get, "x", find) for _ in range(4)]
        assert begun.wait(10)
        assert once.get("y", lambda: 7) == 7, "another question does not wait"
        go_on.set()
        assert [answer.result(10) for answer in answers] == [1, 1, 1, 1]


def test_an_error_is_an_answer_too() -> None:
    once: Once[str, int] = Once()
    error = RegistryError("gone", "gone")

    def find() -> int:
        raise error

    for _ in range(2):
        with pytest.raises(RegistryError) as caught:
            once.get("x", find)
        assert caught.value is error


def test_other_errors_are_not_kept() -> None:
    once: Once[str, int] = Once()
    with pytest.raises(KeyError):
        once.get("x", lambda: {}["missing"])
    assert once.get("x", lambda: 1) == 1
