from __future__ import annotations

import re
import shutil
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from zbuild.base.errors import StateError
from zbuild.state.folder import StateFolder
from zbuild.state.lock import WorkspaceLock, command_line

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return StateFolder.open(tmp_path).lock


def never(holder: str) -> None:
    pytest.fail(f"waited for {holder}")


def test_a_free_lock_is_taken_and_signed_and_given_back(path: Path) -> None:
    with WorkspaceLock(path, "zbuild build api").acquire(wait=True, on_wait=never):
        assert re.fullmatch(r"pid \d+ \(zbuild build api\)", path.read_text())
    assert path.read_text() == ""
    with WorkspaceLock(path).acquire(wait=False, on_wait=never):
        pass


def test_not_to_wait_says_who_holds_it(path: Path) -> None:
    with WorkspaceLock(path, "zbuild build api").acquire(wait=True, on_wait=never):
        with pytest.raises(StateError, match=r"pid \d+ \(zbuild build api\)") as caught:
            WorkspaceLock(path).acquire(wait=False, on_wait=never)
        assert caught.value.code == "locked"


def test_a_second_one_waits_and_says_once_for_whom(path: Path) -> None:
    waiting, told, order = threading.Event(), [], []

    def on_wait(holder: str) -> None:
        told.append(holder)
        waiting.set()

    def second() -> None:
        with WorkspaceLock(path, "second").acquire(wait=True, on_wait=on_wait):
            order.append("second")

    with WorkspaceLock(path, "first").acquire(wait=True, on_wait=never):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert len(told) == 1
    assert told[0].endswith("(first)")


def test_a_holder_that_has_not_signed_yet_is_another_zbuild(path: Path) -> None:
    with WorkspaceLock(path).acquire(wait=True, on_wait=never):
        path.write_text("")
        with pytest.raises(StateError, match="another zbuild"):
            WorkspaceLock(path).acquire(wait=False, on_wait=never)


def test_what_the_holder_wrote_cannot_reach_the_terminal_raw(path: Path) -> None:
    with WorkspaceLock(path, "zbuild \x1b[2J\nx" + "y" * 500).acquire(wait=True, on_wait=never):
        with pytest.raises(StateError) as caught:
            WorkspaceLock(path).acquire(wait=False, on_wait=never)
        assert caught.value.message.isprintable()
        assert len(caught.value.message) < 300


def test_a_lock_whose_folder_was_deleted_meanwhile_is_taken_on_the_new_file(path: Path) -> None:
    waiting, holds, done = threading.Event(), threading.Event(), threading.Event()

    def second() -> None:
        with WorkspaceLock(path, "second").acquire(wait=True, on_wait=lambda _: waiting.set()):
            holds.set()
            done.wait(10)

    thread = threading.Thread(target=second)
    with WorkspaceLock(path, "first").acquire(wait=True, on_wait=never):
        thread.start()
        assert waiting.wait(10)
        shutil.rmtree(path.parent)
        path.parent.mkdir()
    assert holds.wait(10)
    with pytest.raises(StateError, match="second"):
        WorkspaceLock(path).acquire(wait=False, on_wait=never)
    done.set()
    thread.join(10)


def test_a_folder_that_is_gone_is_a_state_error(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="gone/lock"):
        WorkspaceLock(tmp_path / "gone" / "lock").acquire(wait=True, on_wait=never)


def test_releasing_twice_is_no_error(path: Path) -> None:
    lock = WorkspaceLock(path).acquire(wait=True, on_wait=never)
    lock.release()
    lock.release()


def test_the_command_line_is_shown_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/zbuild", "build", "a b"])
    assert command_line() == "zbuild build 'a b'"
